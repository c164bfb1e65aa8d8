/** The job of `marginalize`: a walk over backgrounds for the effects, and one over all pairs with motifs for the scores. */

import { type ReadSettings, readSequences } from '../effects/read-sequences.js'
import { REFUSED, UNKNOWN_BASE } from '../genomics/letters.js'
import { type Motif, readMotifs } from '../genomics/motifs.js'
import { ALLELE_LETTERS } from '../genomics/variant.js'
import { sha256Of } from '../io/files.js'
import type { DeepLift } from '../model.js'
import { parseCount, usageOf } from './arguments.js'
import {
  type Background,
  type BackgroundArguments,
  type Backgrounds,
  openBackgrounds,
} from './backgrounds.js'
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
import {
  type Fact,
  type Job,
  noExamples,
  type Pass,
  type Range,
  type ResultsOf,
  type Written,
} from './jobs/job.js'
import { contentsOf } from './jobs/manifest.js'
import type { JobArguments } from './jobs/run.js'
import { channelAxisOf, loadModel } from './model-options.js'
import { MotifEffects, motifNumbers, numbersPerBackground } from './motif-effects.js'
import { type InputRoles, inputRoles } from './other-inputs.js'
import type { Parameters } from './parameters.js'
import { provenanceOfParameters } from './provenance.js'
import { perGroup, type ReadingBatch, readingBatches, rowsOf } from './reading-batches.js'
import { readingCost } from './reading-cost.js'
import { prefixOf } from './results.js'
import { windowLength } from './windows.js'

export interface MotifArguments extends ComparisonArguments, BackgroundArguments, JobArguments {
  motif?: string[]
  motifs?: string
  position?: string
  length?: string
  out?: string
}

/** What the walks over the backgrounds share. */
interface Work {
  model: DeepLift
  options: MotifArguments
  parameters: Parameters
  motifs: readonly PlacedMotif[]
  backgrounds: Backgrounds
  length: number
  roles: InputRoles
  plan: ContributionPlan | undefined
  settings: ReadSettings
  signal: AbortSignal
}

interface PlacedMotif extends Motif {
  /** Of its first base. */
  position: number
}

/** The caller closes the job. */
export async function openMotifJob(
  path: string,
  options: MotifArguments,
  parameters: Parameters,
  signal: AbortSignal,
): Promise<Job> {
  if (options.out === undefined) throw usageOf('marginalize', 'say where the table goes: --out FILE.tsv.')
  const model = await loadModel(path, options)
  const roles = await inputRoles('marginalize', model, options.input)
  const plan = await contributionPlan('marginalize', options, model, roles.input)
  const length = windowLength(options, model, roles.input, channelAxisOf(options), 'marginalize')
  const motifs = await placedMotifs(options, length)
  const settings: ReadSettings = {
    ...{ ...roles, ...channelAxisOf(options), ...batchOf(options), signal },
    plan: readoutPlan(options, model),
    bothStrands: options.forwardOnly !== true,
  }
  const backgrounds = await openBackgrounds(options, length, signal)
  if (backgrounds.total === undefined && plan)
    throw usageOf('marginalize', '--contributions reads the backgrounds twice: give them as a file.')
  const work: Work = {
    ...{ model, options, parameters, motifs, backgrounds, length, roles, plan, settings, signal },
  }
  const effects = effectPass(work)
  const scored = plan && scoredPass(work, plan)
  return {
    ...{ command: 'marginalize', parameters, out: options.out, facts: {} },
    passes: scored ? [effects, scored] : [effects],
    leftOut: () => undefined,
    identity: async () => await identityOf(options),
    write: async (out, results) => await writeResults(work, effects, scored, out, results),
    close: async () => {},
  }
}

async function identityOf(options: MotifArguments): Promise<Fact[]> {
  const { background, motifs } = options
  const facts: Fact[] = []
  if (background !== undefined) facts.push(['file of backgrounds', await sha256Of(background)])
  if (motifs !== undefined) facts.push(['file of motifs', await sha256Of(motifs)])
  return [...facts, ...(await contentsOf(comparisonFiles(options)))]
}

async function placedMotifs(options: MotifArguments, length: number): Promise<PlacedMotif[]> {
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

/** A background, and after it the same with each motif. */
function effectPass({ model, motifs, backgrounds, settings }: Work): Pass<ReadingBatch<Background>> {
  const groups = async function* (range: Range) {
    for await (const item of backgrounds.between(range))
      yield { item, sequences: [item.codes, ...motifs.map((motif) => inserted(item.codes, motif))] }
  }
  const rows = async function* (range: Range, onProgress: ReadSettings['onProgress']) {
    const own = { ...settings, ...(onProgress && { onProgress }) }
    for await (const { item, readouts, readings } of readSequences(model, groups(range), own))
      yield { record: item, numbers: motifNumbers(readouts, readings) }
  }
  const numbers = numbersPerBackground(settings.plan.kinds, motifs.length)
  return {
    unit: 'backgrounds',
    examples: backgrounds.total,
    cost: async () => await readingCost(model, groups({ first: 0, end: 1 }), settings, numbers),
    compute: (range, onProgress) =>
      readingBatches(rows(range, perGroup(onProgress, 1 + motifs.length)), range.first),
    records: backgrounds.between,
  }
}

/** The scores of backgrounds with motifs: all motifs in the first background, then in the next. */
function scoredPass(work: Work, plan: ContributionPlan): ContributionPass {
  const { model, options, motifs, backgrounds, roles, signal } = work
  const count = motifs.length
  async function* sequences({ first, end }: Range): AsyncGenerator<ScoredSequence> {
    const own = { first: Math.floor(first / count), end: Math.ceil(end / count) }
    for await (const { name, codes, number } of backgrounds.between(own))
      for (const [index, motif] of motifs.entries()) {
        const example = number * count + index
        if (example >= first && example < end)
          yield { name: `${name}:${motif.name}`, codes: inserted(codes, motif), origin: codes, number }
      }
  }
  const { total } = backgrounds
  return contributionPass({
    ...{ model, plan, roles, ...batchOf(options), signal, sequences },
    ...{ unit: 'with motifs', examples: total === undefined ? undefined : total * count },
  })
}

async function writeResults(
  { model, options, parameters, motifs, length, plan, settings }: Work,
  effectsPass: Pass<ReadingBatch<Background>>,
  scored: ContributionPass | undefined,
  out: string,
  results: ResultsOf,
): Promise<Written> {
  const prefix = prefixOf(out)
  const provenance = await provenanceOfParameters(parameters, { length })
  const effects = new MotifEffects(prefix, motifs, settings.plan.kinds, provenance)
  const { compress = false, float16 = false } = options
  const sink = plan && contributionSink(plan, model, `${prefix}.scores`, { provenance, compress, float16 })
  try {
    for await (const batch of results(effectsPass))
      for (const { record, numbers } of rowsOf(batch)) await effects.add(record.name, numbers)
    if (effects.backgrounds === 0) throw noExamples()
    const worst = scored && (await writeContributions(results(scored), sink!))
    await sink?.finish()
    await effects.finish()
    return {
      paths: [...effects.paths, ...(sink?.paths ?? [])],
      facts: {
        ...{ motifs: motifs.length, backgrounds: effects.backgrounds },
        ...(worst !== undefined && { worstCompleteness: worst }),
      },
    }
  } catch (error) {
    await sink?.abort()
    await effects.abort()
    throw error
  }
}
