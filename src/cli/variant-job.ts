/** The job of `variants`: walks over peaks, over the variants for the table, and over each allele for its scores. */

import { type ReadSettings, readSequences } from '../effects/read-sequences.js'
import { DeepLiftError } from '../errors.js'
import type { Alleles } from '../genomics/alleles.js'
import { Genome, type Lowercase } from '../genomics/genome.js'
import type { Edges } from '../genomics/region.js'
import type { VariantSchema } from '../genomics/variant-list.js'
import { sha256Of, writeText } from '../io/files.js'
import type { DeepLift } from '../model.js'
import { type AlleleList, describeSkipped, type Mismatch, openAlleles, type VariantFile } from './alleles.js'
import { usageOf } from './arguments.js'
import {
  batchOf,
  type ComparisonArguments,
  type ContributionPlan,
  comparisonFiles,
  contributionPlan,
  readoutPlan,
} from './comparison.js'
import {
  type ContributionPass,
  contributionPass,
  contributionSink,
  type ScoredSequence,
  writeContributions,
} from './contributions.js'
import { PER_READOUT, variantColumns, variantNumbers } from './effect-columns.js'
import { genomeIdentity, sizesIdentity } from './genome-identity.js'
import type { Job, Pass, Range, ResultsOf, Written } from './jobs/job.js'
import { contentsOf } from './jobs/manifest.js'
import type { JobArguments } from './jobs/run.js'
import { channelAxisOf, loadModel } from './model-options.js'
import { type InputRoles, inputRoles } from './other-inputs.js'
import type { Parameters } from './parameters.js'
import { type PeakPass, peakPass, quantilesOf } from './peak-quantiles.js'
import { provenanceOfParameters } from './provenance.js'
import { perGroup, type ReadingBatch, readingBatches, rowsOf } from './reading-batches.js'
import { readingCost } from './reading-cost.js'
import { prefixOf } from './results.js'
import type { WindowArguments } from './score-arguments.js'
import { type Sink, SinkGroup } from './sinks/sink.js'
import { TableFile } from './table-file.js'
import { windowLength } from './windows.js'

export interface VariantArguments extends ComparisonArguments, WindowArguments, JobArguments {
  vcf?: string
  variants?: string
  schema: string
  genome?: string
  mismatch: string
  peaks?: string
  out?: string
}

const ALLELES = ['allele1', 'allele2'] as const

/** What the walks over the variants share. */
interface Work {
  model: DeepLift
  options: VariantArguments
  parameters: Parameters
  alleles: AlleleList
  file: VariantFile
  length: number
  genome: Genome
  roles: InputRoles
  plan: ContributionPlan | undefined
  settings: ReadSettings
  signal: AbortSignal
}

/** The caller closes the job. */
export async function openVariantJob(
  path: string,
  options: VariantArguments,
  parameters: Parameters,
  signal: AbortSignal,
): Promise<Job> {
  if (options.out === undefined) throw usageOf('variants', 'say where the table goes: --out FILE.tsv.')
  const file = variantFile(options)
  if (options.genome === undefined)
    throw usageOf('variants', 'say which genome the variants belong to: --genome FILE.')
  const model = await loadModel(path, options)
  const roles = await inputRoles('variants', model, options.input)
  const plan = await contributionPlan('variants', options, model, roles.input)
  const length = windowLength(options, model, roles.input, channelAxisOf(options), 'variants')
  const settings: ReadSettings = {
    ...{ ...roles, ...channelAxisOf(options), ...batchOf(options), signal },
    plan: readoutPlan(options, model),
    bothStrands: options.forwardOnly !== true,
  }
  const genome = await Genome.open(options.genome, { lowercase: options.lowercase as Lowercase, signal })
  try {
    const edges = options.edges as Edges
    const windows = { genome, length, edges, mismatch: options.mismatch as Mismatch }
    const alleles = await openAlleles(file, windows, signal)
    if (alleles.total === 0) throw noVariants(file, alleles)
    if (alleles.total === undefined && plan)
      throw usageOf('variants', '--contributions reads the variants several times: give them as a file.')
    const work: Work = {
      ...{ model, options, parameters, alleles, file, length, genome, roles, plan, settings, signal },
    }
    const peaks =
      options.peaks === undefined
        ? undefined
        : await peakPass(options.peaks, genome, windows, model, settings)
    return variantJob(work, peaks)
  } catch (error) {
    await genome.close()
    throw error
  }
}

function variantFile({ vcf, variants: list, schema }: VariantArguments): VariantFile {
  if ((vcf === undefined) === (list === undefined))
    throw usageOf('variants', 'give the variants as --vcf FILE or as --variants FILE --schema COLUMNS.')
  return vcf === undefined ? { path: list!, format: schema as VariantSchema } : { path: vcf, format: 'vcf' }
}

function noVariants({ path }: VariantFile, { counts }: AlleleList): DeepLiftError {
  const message = `${path} has no variants to compare. ${describeSkipped(counts) ?? ''}`
  return new DeepLiftError('INVALID_INPUT', message.trim())
}

function variantJob(work: Work, peaks: PeakPass | undefined): Job {
  const { options, parameters, alleles, file, genome } = work
  const table = tablePass(work)
  const scored = scoredPasses(work)
  const passes: Pass[] = [...(peaks ? [peaks] : []), table, ...scored]
  return {
    ...{ command: 'variants', parameters, out: options.out!, passes },
    facts: { skipped: alleles.counts.skipped },
    leftOut: () => describeSkipped(alleles.counts),
    identity: async () => [
      [`file of variants, ${file.format}`, await sha256Of(file.path)],
      ...(await genomeIdentity(genome)),
      ...(options.peaks === undefined ? [] : [['file of peaks', await sha256Of(options.peaks)] as const]),
      ...(await contentsOf(comparisonFiles(options))),
    ],
    write: async (out, results) => await writeVariants(work, { peaks, table, scored }, out, results),
    close: async () => await genome.close(),
  }
}

function tablePass(work: Work): Pass<ReadingBatch<Alleles>> {
  const { model, alleles, settings } = work
  const groups = async function* (range: Range) {
    for await (const item of alleles.between(range)) yield { item, sequences: [item.allele1, item.allele2] }
  }
  const rows = async function* (range: Range, onProgress: ReadSettings['onProgress']) {
    const own = { ...settings, ...(onProgress && { onProgress }) }
    for await (const { item, readouts, readings } of readSequences(model, groups(range), own))
      yield { record: item, numbers: variantNumbers(item, readouts, readings) }
  }
  const numbers = PER_READOUT * settings.plan.kinds.length
  return {
    unit: 'variants',
    examples: alleles.total,
    cost: async () => await readingCost(model, groups({ first: 0, end: 1 }), settings, numbers),
    compute: (range, onProgress) =>
      readingBatches(rows(range, perGroup(onProgress, ALLELES.length)), range.first),
    records: alleles.between,
  }
}

/** Both alleles are compared with references of allele 1. */
function scoredPasses({ model, plan, roles, options, alleles, signal }: Work): ContributionPass[] {
  if (!plan) return []
  return ALLELES.map((allele) => {
    async function* sequences(range: Range): AsyncGenerator<ScoredSequence> {
      let number = range.first
      for await (const each of alleles.between(range))
        yield { name: each.variant.id, codes: each[allele], origin: each.allele1, number: number++ }
    }
    return contributionPass({
      ...{ model, plan, roles, ...batchOf(options), signal, sequences },
      ...{ unit: `of ${allele}`, examples: alleles.total },
    })
  })
}

interface Passes {
  peaks: PeakPass | undefined
  table: Pass<ReadingBatch<Alleles>>
  scored: readonly ContributionPass[]
}

/** The table, and a file of scores per allele whose rows are those of the table. */
async function writeVariants(
  work: Work,
  { peaks, table, scored }: Passes,
  out: string,
  results: ResultsOf,
): Promise<Written> {
  const { alleles, genome, length, parameters } = work
  const provenance = await provenanceOfParameters(parameters, {
    length,
    chromSizesSha256: sizesIdentity(genome),
  })
  const path = out.endsWith('.tsv') ? out : `${out}.variant_scores.tsv`
  const sinks = scored.map((_, index) => alleleSink(work, `${prefixOf(out)}.${ALLELES[index]}`, provenance))
  const group = new SinkGroup(sinks)
  const file = await TableFile.create(path)
  try {
    const quantiles = peaks && (await quantilesOf(results(peaks)))
    const columns = (each: Alleles, numbers: Float64Array) =>
      variantColumns(each.variant, work.settings.plan.kinds, numbers, quantiles)
    let header = false
    for await (const batch of results(table))
      for (const { record, numbers } of rowsOf(batch)) {
        const cells = columns(record, numbers)
        if (!header) await file.write(cells.map(([name]) => name))
        header = true
        await file.write(cells.map(([, cell]) => cell))
      }
    if (!header) throw noVariants(work.file, alleles)
    const worst: number[] = []
    for (const [index, pass] of scored.entries())
      worst.push(await writeContributions(results(pass), sinks[index]!))
    await group.finish()
    await file.commit()
    await writeText(`${path}.json`, `${provenance}\n`)
    const { kept, unknown, skipped } = alleles.counts
    return {
      paths: [path, `${path}.json`, ...group.paths],
      facts: {
        ...{ variants: kept, withUnknownBases: unknown, skipped },
        ...(worst.length > 0 && { worstCompleteness: Math.max(...worst) }),
      },
    }
  } catch (error) {
    await group.abort()
    await file.discard()
    throw error
  }
}

function alleleSink({ model, plan, options }: Work, prefix: string, provenance: string): Sink {
  const { compress = false, float16 = false } = options
  return contributionSink(plan!, model, prefix, { provenance, compress, float16 })
}
