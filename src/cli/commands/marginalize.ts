/** `deeplift marginalize`: what a motif changes in the outputs of a model, over many backgrounds. */

import type { Command } from 'commander'
import { readSequences } from '../../effects/read-sequences.js'
import { DeepLiftError } from '../../errors.js'
import { REFUSED, UNKNOWN_BASE } from '../../genomics/letters.js'
import { type Motif, readMotifs } from '../../genomics/motifs.js'
import { ALLELE_LETTERS } from '../../genomics/variant.js'
import type { DeepLift } from '../../model.js'
import { parseCount, usageOf } from '../arguments.js'
import { type Background, type BackgroundArguments, backgroundsOf } from '../backgrounds.js'
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
import { addLongRun } from '../long-run.js'
import { channelAxisOf, collect, loadModel } from '../model-options.js'
import { MotifEffects } from '../motif-effects.js'
import { type InputRoles, inputRoles } from '../other-inputs.js'
import { addParametersOption, type Parameters, writeJson } from '../parameters.js'
import { type ProgressArguments, ProgressLine } from '../progress-line.js'
import { provenanceOfParameters } from '../provenance.js'
import { prefixOf } from '../results.js'
import type { Sink } from '../sinks/sink.js'
import { windowLength } from '../windows.js'

interface Arguments extends ComparisonArguments, BackgroundArguments, ProgressArguments {
  motif?: string[]
  motifs?: string
  position?: string
  length?: string
  out?: string
  json?: boolean
}

export function addMarginalizeCommand(program: Command): void {
  const command = program
    .command('marginalize')
    .description('put motifs into background sequences: what changes in the outputs of the model')
    .argument('[model]', 'ONNX file')
  addParametersOption(command)
    .option(
      '--motif <[name=]letters>',
      'a motif, such as GATAAG; N leaves the background; repeat for several',
      collect,
    )
    .option('--motifs <file>', 'motifs: FASTA, or MEME, of which the consensus is taken')
    .option('--position <n>', 'of the first base of motifs, from 0 (default: in the middle)')
    .option('--background <file>', 'sequences that motifs are put into: FASTA, plain, gzip or bgzip')
    .option(
      '--shuffles <n>',
      'put them into n dinucleotide shuffles of each sequence of --background instead',
    )
    .option('--random <n>', 'put them into n random sequences')
    .option('--composition <A,C,G,T>', 'frequencies of bases of --random (default: .25 each)')
    .option('--length <bases>', 'of backgrounds (default: from the model)')
    .option(
      '--out <file>',
      'the table, FILE.tsv, beside which stands FILE.npz with the effect in each background',
    )
  addComparisonOptions(command)
  addLongRun(command, marginalize)
}

/** What the passes over the backgrounds share. */
interface Work {
  model: DeepLift
  options: Arguments
  motifs: readonly PlacedMotif[]
  backgrounds: () => AsyncGenerator<Background>
  roles: InputRoles
  provenance: string
  reporter: Reporter
  signal: AbortSignal
}

interface PlacedMotif extends Motif {
  /** Of its first base. */
  position: number
}

async function marginalize(
  path: string,
  options: Arguments,
  parameters: Parameters,
  signal: AbortSignal,
): Promise<void> {
  const reporter = createReporter(options.json === true)
  const { out } = options
  if (out === undefined) throw usageOf('marginalize', 'say where the table goes: --out FILE.tsv.')
  const model = await loadModel(path, options)
  const roles = await inputRoles('marginalize', model, options.input)
  const plan = await contributionPlan('marginalize', options, model, roles.input)
  const length = windowLength(options, model, roles.input, channelAxisOf(options), 'marginalize')
  const motifs = await placedMotifs(options, length)
  const backgrounds = backgroundsOf(options, length, signal)
  const provenance = await provenanceOfParameters(parameters, { length })
  const work: Work = { model, options, motifs, backgrounds, roles, provenance, reporter, signal }
  const prefix = prefixOf(out)
  const started = performance.now()
  const effects = new MotifEffects(prefix, motifs, provenance)
  try {
    await readEffects(work, effects)
    const scored = plan && (await writeContributions(work, plan, prefix, effects.backgrounds))
    await effects.finish()
    await writeJson(`${prefix}.params.json`, parameters)
    const seconds = (performance.now() - started) / 1000
    const files = [...effects.paths, ...(scored?.paths ?? [])]
    const counts = { motifs: motifs.length, backgrounds: effects.backgrounds }
    reporter.result(
      () =>
        `${counts.motifs} motifs in ${counts.backgrounds} backgrounds in ${seconds.toFixed(1)} s: ${files.join(', ')}`,
      {
        ...counts,
        seconds,
        ...(scored && { worstCompleteness: scored.worst }),
        files,
        parameters: `${prefix}.params.json`,
      },
    )
  } catch (error) {
    await effects.abort()
    throw error
  }
}

async function placedMotifs(options: Arguments, length: number): Promise<PlacedMotif[]> {
  const { motif = [], motifs: file } = options
  const found = [...motif.map(parseMotif), ...(file === undefined ? [] : await readMotifs(file))]
  if (found.length === 0) throw usageOf('marginalize', 'give motifs as --motif LETTERS or as --motifs FILE.')
  const given = options.position === undefined ? undefined : parseCount(options.position, '--position', 0)
  return found.map(({ name, codes }) => {
    const position = given ?? Math.floor(length / 2) - Math.floor(codes.length / 2)
    if (position < 0 || position + codes.length > length)
      throw usageOf(
        'marginalize',
        `motif ${name} has ${codes.length} bases, which do not fit at position ${position} of ${length}.`,
      )
    return { name, codes, position }
  })
}

function parseMotif(text: string): Motif {
  const at = text.indexOf('=')
  const letters = text.slice(at + 1)
  const codes = Uint8Array.from(letters, (letter) => ALLELE_LETTERS[letter.charCodeAt(0)] ?? REFUSED)
  if (codes.length === 0 || codes.includes(REFUSED))
    throw usageOf('marginalize', `--motif: expected letters A, C, G, T or N, found "${text}".`)
  return { name: at > 0 ? text.slice(0, at) : letters.toUpperCase(), codes }
}

/** The background with the motif in it. */
function inserted(background: Uint8Array, { codes, position }: PlacedMotif): Uint8Array {
  const sequence = background.slice()
  for (const [index, code] of codes.entries()) if (code !== UNKNOWN_BASE) sequence[position + index] = code
  return sequence
}

async function readEffects(work: Work, effects: MotifEffects): Promise<void> {
  const { model, options, motifs, roles, signal } = work
  const line = new ProgressLine('sequences', options)
  try {
    for await (const { item, readouts, readings } of readSequences(model, groups(work), {
      ...roles,
      ...channelAxisOf(options),
      ...batchOf(options),
      plan: readoutPlan(options, model),
      bothStrands: options.forwardOnly !== true,
      signal,
      onProgress: (progress) => line.update(progress),
    }))
      await effects.add(item.name, readouts, readings)
  } finally {
    line.end()
  }
  if (effects.backgrounds === 0)
    throw new DeepLiftError('INVALID_INPUT', `There are no backgrounds to put ${motifs[0]!.name} into.`)
}

/** A background, and after it the same with each motif. */
async function* groups({ backgrounds, motifs }: Work) {
  for await (const item of backgrounds())
    yield { item, sequences: [item.codes, ...motifs.map((motif) => inserted(item.codes, motif))] }
}

/** The scores of backgrounds with motifs: all motifs in the first background, then in the next. */
async function writeContributions(
  { model, options, motifs, backgrounds, roles, provenance, reporter, signal }: Work,
  plan: ContributionPlan,
  prefix: string,
  count: number,
): Promise<{ paths: readonly string[]; worst: number }> {
  const { compress = false, float16 = false } = options
  const sink: Sink = contributionSink(plan, model, `${prefix}.scores`, { provenance, compress, float16 })
  const line = new ProgressLine('scored', options)
  line.total = count * motifs.length
  try {
    const work = { model, plan, roles, sink, ...batchOf(options), signal, line, reporter }
    const worst = await contribute(work, sequencesOf(backgrounds(), motifs))
    await sink.finish()
    return { paths: sink.paths, worst }
  } catch (error) {
    await sink.abort()
    throw error
  }
}

async function* sequencesOf(
  backgrounds: AsyncIterable<Background>,
  motifs: readonly PlacedMotif[],
): AsyncGenerator<ScoredSequence> {
  for await (const { name, codes, number } of backgrounds)
    for (const motif of motifs)
      yield { name: `${name}:${motif.name}`, codes: inserted(codes, motif), origin: codes, number }
}
