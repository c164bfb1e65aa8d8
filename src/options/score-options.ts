/** Options of `score`, `stream` and `describe`, and their resolved form. */

import { type PlanOptions, PRECISIONS, type Precision } from '../native.js'
import type { Progress } from '../progress.js'
import type { References } from '../references.js'
import {
  checkBoolean,
  checkChoice,
  checkFunction,
  checkKeys,
  checkSignal,
  checkWholeNumber,
  invalidOption,
  show,
} from './check.js'
import { type ResolvedRule, type Rule, resolveRule, TIMES_INPUT, WITHOUT_REFERENCE } from './rule.js'
import { type ResolvedTargets, resolveTargets, type Target } from './target.js'
import type { TensorInfo } from './tensor-info.js'
import { resolveVariants, type Variants } from './variants.js'

export const OUTPUT_NAMES = ['contributions', 'hypothetical', 'multipliers', 'perReference'] as const

/**
 * - `contributions`: multiplier × difference from the reference, averaged over references
 * - `hypothetical`: the contribution each letter would have at its position if it were there
 * - `multipliers`: averaged over references
 * - `perReference`: contributions against each reference
 */
export type OutputName = (typeof OUTPUT_NAMES)[number]

/** What decides a plan, and so every number of the result. */
export interface PlanChoices {
  /** What inputs are compared with; by input name if the model has several inputs. No default. */
  references?: References
  /** Default: the only value of the only output. */
  target?: Target
  /**
   * Where a Sigmoid or Softmax makes the output that is explained, explain its logits instead: those do not saturate.
   * Under Softmax, the logits less their mean. `warnings` of the scores say where that was done. Default true.
   */
  peel?: boolean
  /**
   * Tensors inside the model, by name, that are scored instead of the inputs: what each value of a hidden layer
   * contributes. They sum to the difference if the targets depend on the inputs through these tensors alone.
   */
  layers?: string | readonly string[]
  /** Default `'rescale'`. */
  rule?: Rule
  /** Choices on which implementations of DeepLIFT differ. */
  variants?: Variants
  /**
   * What multipliers are multiplied by: the difference from the reference, or the input itself, which with
   * `rule: 'gradient'` gives gradient × input; also for the other rules that do not sum to the difference. Default
   * `'difference'`.
   */
  multiplyBy?: 'difference' | 'input'
  /**
   * Averages with the scores of the reverse complement, compared with the reverse complements of the same references.
   * A target that belongs to a strand or a position has a counterpart in the same output there, which `target` names:
   * one for one, in the form of the option `target`. Tracks along a sequence turn with it; vectors of features do
   * not. Default false.
   */
  reverseComplement?: boolean | { target?: Target }
  /**
   * Subtracts from the weights of the first layer their mean over letters, which changes nothing for inputs whose
   * letters sum to 1 everywhere; a position without a letter, as in a reference of zeros, then counts as a quarter of
   * each. Default false.
   */
  meanNormalised?: boolean
  /** Default `['contributions']`. */
  outputs?: readonly OutputName[]
  /**
   * `'float64'` is for checks: slower, and results are Float64Array. `'bf16x6'`, `'bf16x3'` and `'bf16'` are float32 with
   * convolutions and dense layers in products of bf16, on processors with AMX; elsewhere they are float32, with a
   * warning. Errors relative to the largest score: about 1e-6, 5e-5, 5e-2. Default `'float32'`.
   */
  precision?: Precision
  /**
   * Axis of the input that holds A, C, G, T, counted with the batch axis: 1 in `[n, 4, length]`, 2 in
   * `[n, length, 4]`; by input name if they differ. Default: the axis of extent 4.
   */
  channelAxis?: number | Readonly<Record<string, number>>
}

export interface ScoreOptions extends PlanChoices {
  /**
   * Number of the first example within a larger job, whose shuffles are keyed by the numbers of its examples: a
   * job cut into several calls gives the results of one. Default 0.
   */
  firstExample?: number
  /** Examples per native call, and per batch of a stream. No effect on any number. Default: from their size. */
  batchSize?: number
  /** Cancels the work, which rejects with code ABORTED. */
  signal?: AbortSignal
  /** Called after each batch. */
  onProgress?: (progress: Progress) => void
}

export interface StreamOptions extends ScoreOptions {
  /** Number of records if it is known, for the progress. */
  total?: number
}

export type TraceOptions = Pick<StreamOptions, keyof PlanChoices | 'firstExample' | 'batchSize' | 'signal'>

export interface DescribeOptions extends PlanChoices {
  /** Shape of one example (without the batch axis) by input name, for inputs whose file leaves axes open. */
  shapes?: Readonly<Record<string, readonly number[]>>
}

const PLAN_KEYS = [
  'references',
  'target',
  'peel',
  'layers',
  'rule',
  'variants',
  'multiplyBy',
  'reverseComplement',
  'meanNormalised',
  'outputs',
  'precision',
  'channelAxis',
] as const
const SCORE_KEYS = [...PLAN_KEYS, 'firstExample', 'batchSize', 'signal', 'onProgress'] as const

export const KNOWN_OPTIONS = {
  score: SCORE_KEYS,
  stream: [...SCORE_KEYS, 'total'],
  trace: [...PLAN_KEYS, 'firstExample', 'batchSize', 'signal'],
  describe: [...PLAN_KEYS, 'shapes'],
} as const satisfies Record<string, readonly string[]>

export interface ResolvedChoices extends ResolvedRule {
  references: References | undefined
  targets: ResolvedTargets['targets']
  /** Whether results have an axis of targets. */
  several: boolean
  peel: boolean
  layers: string[]
  variants: Variants
  /** The targets on the reverse complement. */
  reverseTargets: ResolvedTargets['targets'] | undefined
  meanNormalised: boolean
  multiplyBy: 'difference' | 'input'
  outputs: PlanOptions['outputs']
  precision: Precision
  channelAxis: PlanChoices['channelAxis']
}

export function resolveChoices(options: PlanChoices, outputs: readonly TensorInfo[]): ResolvedChoices {
  const { multiplyBy = 'difference', precision = 'float32', peel = true, meanNormalised = false } = options
  const rule = resolveRule(options.rule)
  checkChoice(multiplyBy, ['difference', 'input'], 'multiplyBy')
  if (multiplyBy === 'input' && !TIMES_INPUT.includes(rule.rule))
    throw invalidOption(
      `multiplyBy: 'input' goes with ${TIMES_INPUT.map((name) => `rule: '${name}'`).join(', ')}; contributions of ` +
        `${rule.rule} are multiplier × difference from the reference.`,
      { option: 'multiplyBy' },
    )
  // Such a product looks at no reference; one is needed only for the reference output.
  const free = multiplyBy === 'input' && WITHOUT_REFERENCE.includes(rule.rule)
  const targets = resolveTargets(options.target, outputs)
  const layers = resolveLayers(options.layers)
  const results = resolveOutputs(options.outputs)
  if (layers.length > 0 && results.hypothetical)
    throw invalidOption(
      "outputs: 'hypothetical' belongs to inputs with letters; layers inside the model have none.",
    )
  return {
    ...rule,
    ...targets,
    references: options.references ?? (free ? 'zeros' : undefined),
    peel: checkBoolean(peel, 'peel'),
    layers,
    variants: resolveVariants(options.variants),
    multiplyBy,
    reverseTargets: resolveReverse(options.reverseComplement, targets, outputs),
    meanNormalised: checkBoolean(meanNormalised, 'meanNormalised'),
    outputs: results,
    precision: checkChoice(precision, PRECISIONS, 'precision'),
    channelAxis: options.channelAxis,
  }
}

function resolveLayers(layers: string | readonly string[] = []): string[] {
  const names: readonly unknown[] = Array.isArray(layers) ? layers : [layers]
  const wrong = names.findIndex((name) => typeof name !== 'string' || name === '')
  if (wrong >= 0)
    throw invalidOption(`layers: expected names of tensors inside the model, found ${show(names[wrong])}.`, {
      option: 'layers',
    })
  const twice = names.find((name, position) => names.indexOf(name) !== position)
  if (twice !== undefined) throw invalidOption(`layers: ${show(twice)} is named twice.`, { option: 'layers' })
  return names as string[]
}

function resolveReverse(
  option: PlanChoices['reverseComplement'],
  forward: ResolvedTargets,
  outputs: readonly TensorInfo[],
): ResolvedTargets['targets'] | undefined {
  if (option === undefined || option === false) return undefined
  if (option === true) return forward.targets
  checkKeys(option, ['target'], 'reverseComplement')
  if (option.target === undefined) return forward.targets
  const { targets } = resolveTargets(option.target, outputs, 'reverseComplement: target')
  if (targets.length !== forward.targets.length)
    throw invalidOption(
      `reverseComplement: target: expected ${forward.targets.length}, one for each target; found ${targets.length}.`,
      { option: 'reverseComplement' },
    )
  return targets
}

function resolveOutputs(names: readonly OutputName[] = ['contributions']): PlanOptions['outputs'] {
  if (!Array.isArray(names))
    throw invalidOption(`outputs: expected an array of ${OUTPUT_NAMES.join(', ')}; found ${show(names)}.`)
  for (const name of names) checkChoice(name, OUTPUT_NAMES, 'outputs')
  const has = (name: OutputName) => names.includes(name)
  return {
    contributions: has('contributions'),
    hypothetical: has('hypothetical'),
    multipliers: has('multipliers'),
    perReference: has('perReference'),
  }
}

export interface ResolvedRun {
  first: number
  batchSize: number | undefined
  signal: AbortSignal | undefined
  onProgress: ((progress: Progress) => void) | undefined
  total: number | undefined
}

export function resolveRun(options: StreamOptions): ResolvedRun {
  const { firstExample = 0, batchSize, total } = options
  return {
    first: checkWholeNumber(firstExample, 0, 'firstExample'),
    batchSize: batchSize === undefined ? undefined : checkWholeNumber(batchSize, 1, 'batchSize'),
    signal: checkSignal(options.signal),
    onProgress: checkFunction(options.onProgress, 'onProgress'),
    total: total === undefined ? undefined : checkWholeNumber(total, 0, 'total'),
  }
}

export function checkOptionKeys(options: unknown, call: keyof typeof KNOWN_OPTIONS): void {
  checkKeys(options, KNOWN_OPTIONS[call], call)
}
