/** `deeplift variants`: what variants change in the outputs of a model, and the scores of both alleles. */

import { type Command, Option } from 'commander'
import { type ReadSettings, readSequences } from '../../effects/read-sequences.js'
import { DeepLiftError } from '../../errors.js'
import type { Alleles } from '../../genomics/alleles.js'
import { Genome, type Lowercase } from '../../genomics/genome.js'
import type { Edges } from '../../genomics/region.js'
import { VARIANT_SCHEMAS, type VariantSchema } from '../../genomics/variant-list.js'
import { writeText } from '../../io/files.js'
import type { DeepLift } from '../../model.js'
import {
  type AlleleCounts,
  type AlleleSettings,
  describeSkipped,
  MISMATCH,
  type Mismatch,
  noCounts,
  readAlleles,
  type VariantFile,
} from '../alleles.js'
import { usageOf } from '../arguments.js'
import {
  addComparisonOptions,
  batchOf,
  type ComparisonArguments,
  type ContributionPlan,
  contributionPlan,
  readoutPlan,
} from '../comparison.js'
import { createReporter, type Reporter } from '../console.js'
import { contribute, contributionSink, type ScoredSequence } from '../contributions.js'
import { variantColumns } from '../effect-columns.js'
import { sizesIdentity } from '../genome-identity.js'
import { addLongRun } from '../long-run.js'
import { channelAxisOf, loadModel } from '../model-options.js'
import { type InputRoles, inputRoles } from '../other-inputs.js'
import { addParametersOption, type Parameters, writeJson } from '../parameters.js'
import { peakQuantiles } from '../peak-quantiles.js'
import { type ProgressArguments, ProgressLine } from '../progress-line.js'
import { provenanceOfParameters } from '../provenance.js'
import { prefixOf } from '../results.js'
import { addWindowOptions, type WindowArguments } from '../score-arguments.js'
import { type Sink, SinkGroup } from '../sinks/sink.js'
import { TableFile } from '../table-file.js'
import { windowLength } from '../windows.js'

interface Arguments extends ComparisonArguments, WindowArguments, ProgressArguments {
  vcf?: string
  variants?: string
  schema: string
  genome?: string
  mismatch: string
  peaks?: string
  out?: string
  json?: boolean
}

export function addVariantsCommand(program: Command): void {
  const command = program
    .command('variants')
    .description('compare the alleles of variants: outputs of the model as a table, and scores on request')
    .argument('[model]', 'ONNX file')
  addParametersOption(command)
    .option('--vcf <file>', 'variants: VCF, plain, gzip or bgzip')
    .option('--variants <file>', 'variants: a list as variant-scorer reads it')
    .addOption(
      new Option('--schema <columns>', 'columns of --variants')
        .choices(VARIANT_SCHEMAS)
        .default('chrombpnet'),
    )
  addWindowOptions(command).addOption(
    new Option(
      '--mismatch <policy>',
      'variants that are not of the genome, by their chromosome or reference allele: end, or leave them out',
    )
      .choices(MISMATCH)
      .default(MISMATCH[0]),
  )
  command.option(
    '--peaks <file>',
    'BED or narrowPeak: also write where counts of alleles stand among those of peaks',
  )
  command.option('--out <file>', 'the table, FILE.tsv; or else the beginning of the names of all files')
  addComparisonOptions(command)
  addLongRun(command, variants)
}

/** What the passes over the variants share. */
interface Work {
  model: DeepLift
  options: Arguments
  file: VariantFile
  windows: AlleleSettings
  roles: InputRoles
  provenance: string
  reporter: Reporter
  signal: AbortSignal
}

async function variants(
  path: string,
  options: Arguments,
  parameters: Parameters,
  signal: AbortSignal,
): Promise<void> {
  const reporter = createReporter(options.json === true)
  const { out } = options
  if (out === undefined) throw usageOf('variants', 'say where the table goes: --out FILE.tsv.')
  const file = variantFile(options)
  if (options.genome === undefined)
    throw usageOf('variants', 'say which genome the variants belong to: --genome FILE.')
  const model = await loadModel(path, options)
  const roles = await inputRoles('variants', model, options.input)
  const plan = await contributionPlan('variants', options, model, roles.input)
  const length = windowLength(options, model, roles.input, channelAxisOf(options), 'variants')
  const lowercase = options.lowercase as Lowercase
  const genome = await Genome.open(options.genome, { lowercase, signal })
  try {
    const edges = options.edges as Edges
    const windows = { genome, length, edges, mismatch: options.mismatch as Mismatch }
    const chromSizesSha256 = sizesIdentity(genome)
    const provenance = await provenanceOfParameters(parameters, { length, chromSizesSha256 })
    const work: Work = { model, options, file, windows, roles, provenance, reporter, signal }
    const started = performance.now()
    const { counts, files, worst } = await compare(work, plan, out)
    await writeJson(`${prefixOf(out)}.params.json`, parameters)
    const seconds = (performance.now() - started) / 1000
    const { kept, unknown, skipped } = counts
    reporter.result(
      () =>
        `${kept} variants in ${seconds.toFixed(1)} s, ${(kept / seconds).toFixed(1)} per second: ${files.join(', ')}`,
      {
        variants: kept,
        withUnknownBases: unknown,
        skipped,
        seconds,
        variantsPerSecond: kept / seconds,
        ...(worst !== undefined && { worstCompleteness: worst }),
        files,
        parameters: `${prefixOf(out)}.params.json`,
      },
    )
  } finally {
    await genome.close()
  }
}

/** Writes the table and the scores. */
async function compare(
  work: Work,
  plan: ContributionPlan | undefined,
  out: string,
): Promise<{ counts: AlleleCounts; files: string[]; worst: number | undefined }> {
  const path = out.endsWith('.tsv') ? out : `${out}.variant_scores.tsv`
  const table = await TableFile.create(path)
  try {
    const counts = await writeTable(work, table)
    const scored = plan && (await writeContributions(work, plan, prefixOf(out), counts.kept))
    await table.commit()
    await writeText(`${path}.json`, `${work.provenance}\n`)
    return { counts, files: [path, `${path}.json`, ...(scored?.paths ?? [])], worst: scored?.worst }
  } catch (error) {
    await table.discard()
    throw error
  }
}

function variantFile({ vcf, variants: list, schema }: Arguments): VariantFile {
  if ((vcf === undefined) === (list === undefined))
    throw usageOf('variants', 'give the variants as --vcf FILE or as --variants FILE --schema COLUMNS.')
  return vcf === undefined ? { path: list!, format: schema as VariantSchema } : { path: vcf, format: 'vcf' }
}

/** The rows of all variants. */
async function writeTable(work: Work, table: TableFile): Promise<AlleleCounts> {
  const { model, options, file, windows, roles, reporter, signal } = work
  const counts = noCounts()
  const line = new ProgressLine('sequences', options)
  line.facts = { skipped: counts.skipped }
  const settings: ReadSettings = {
    ...roles,
    ...channelAxisOf(options),
    ...batchOf(options),
    plan: readoutPlan(options, model),
    bothStrands: options.forwardOnly !== true,
    signal,
    onProgress: (progress) => line.update(progress),
  }
  let header = false
  try {
    const { genome } = windows
    const peaks =
      options.peaks === undefined
        ? undefined
        : await peakQuantiles(options.peaks, genome, windows, model, settings)
    const groups = pairs(readAlleles(file, windows, counts))
    for await (const { item, readouts, readings } of readSequences(model, groups, settings)) {
      const columns = variantColumns(item, readouts, readings, peaks)
      if (!header) await table.write(columns.map(([name]) => name))
      header = true
      await table.write(columns.map(([, cell]) => cell))
    }
  } finally {
    line.end()
  }
  const skipped = describeSkipped(counts)
  if (!header)
    throw new DeepLiftError(
      'INVALID_INPUT',
      `${file.path} has no variants to compare. ${skipped ?? ''}`.trim(),
    )
  if (skipped) reporter.warn(skipped)
  return counts
}

async function* pairs(alleles: AsyncIterable<Alleles>) {
  for await (const item of alleles) yield { item, sequences: [item.allele1, item.allele2] }
}

interface Scored {
  paths: readonly string[]
  /** The largest completeness residual. */
  worst: number
}

const ALLELES = ['allele1', 'allele2'] as const

/** A file per allele, whose rows are those of the table. Both alleles are compared with references of allele 1. */
async function writeContributions(
  { model, options, file, windows, roles, provenance, reporter, signal }: Work,
  plan: ContributionPlan,
  prefix: string,
  total: number,
): Promise<Scored> {
  const { compress = false, float16 = false } = options
  const sinks: Sink[] = ALLELES.map((allele) =>
    contributionSink(plan, model, `${prefix}.${allele}`, { provenance, compress, float16 }),
  )
  const group = new SinkGroup(sinks)
  let worst = 0
  try {
    for (const [index, allele] of ALLELES.entries()) {
      const line = new ProgressLine(`of ${allele}`, options)
      line.total = total
      const work = { model, plan, roles, sink: sinks[index]!, ...batchOf(options), signal, line, reporter }
      worst = Math.max(worst, await contribute(work, sequencesOf(readAlleles(file, windows), allele)))
    }
    await group.finish()
    return { paths: group.paths, worst }
  } catch (error) {
    await group.abort()
    throw error
  }
}

async function* sequencesOf(
  alleles: AsyncIterable<Alleles>,
  allele: (typeof ALLELES)[number],
): AsyncGenerator<ScoredSequence> {
  let number = 0
  for await (const each of alleles)
    yield { name: each.variant.id, codes: each[allele], origin: each.allele1, number: number++ }
}
