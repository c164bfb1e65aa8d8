/** Options of `score`, `stream` and `describe`, and their resolved form. */

import type { NativeTarget, PlanOptions, Precision } from '../native.js'
import type { Progress } from '../progress.js'
import type { References } from '../references.js'
import {
  checkChoice,
  checkFunction,
  checkKeys,
  checkSignal,
  checkWholeNumber,
  invalidOption,
  show,
} from './check.js'
import { type ResolvedRule, type Rule, resolveRule } from './rule.js'
import { resolveTargets, type Target } from './target.js'
import type { TensorInfo } from './tensor-info.js'

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
  /** Default `'rescale'`. */
  rule?: Rule
  /**
   * What multipliers are multiplied by: the difference from the reference, or the input itself, which with
   * `rule: 'gradient'` gives gradient × input. Default `'difference'`.
   */
  multiplyBy?: 'difference' | 'input'
  /** Default `['contributions']`. */
  outputs?: readonly OutputName[]
  /** `'float64'` is for checks: slower, and results are Float64Array. Default `'float32'`. */
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

export interface DescribeOptions extends PlanChoices {
  /** Shape of one example (without the batch axis) by input name, for inputs whose file leaves axes open. */
  shapes?: Readonly<Record<string, readonly number[]>>
}

const PLAN_KEYS = [
  'references',
  'target',
  'rule',
  'multiplyBy',
  'outputs',
  'precision',
  'channelAxis',
] as const
const SCORE_KEYS = [...PLAN_KEYS, 'firstExample', 'batchSize', 'signal', 'onProgress'] as const

export const KNOWN_OPTIONS = {
  score: SCORE_KEYS,
  stream: [...SCORE_KEYS, 'total'],
  describe: [...PLAN_KEYS, 'shapes'],
} as const satisfies Record<string, readonly string[]>

export interface ResolvedChoices extends ResolvedRule {
  references: References | undefined
  targets: NativeTarget[]
  /** Whether results have an axis of targets. */
  several: boolean
  multiplyBy: 'difference' | 'input'
  outputs: PlanOptions['outputs']
  precision: Precision
  channelAxis: PlanChoices['channelAxis']
}

export function resolveChoices(options: PlanChoices, outputs: readonly TensorInfo[]): ResolvedChoices {
  const { multiplyBy = 'difference', precision = 'float32' } = options
  const rule = resolveRule(options.rule)
  checkChoice(multiplyBy, ['difference', 'input'], 'multiplyBy')
  if (multiplyBy === 'input' && rule.rule !== 'gradient')
    throw invalidOption(
      `multiplyBy: 'input' goes with rule: 'gradient' (gradient × input); contributions of ${rule.rule} are ` +
        'multiplier × difference from the reference.',
      { option: 'multiplyBy' },
    )
  return {
    ...rule,
    ...resolveTargets(options.target, outputs),
    // Gradient × input looks at no reference; one is needed only for the reference output.
    references: options.references ?? (multiplyBy === 'input' ? 'zeros' : undefined),
    multiplyBy,
    outputs: resolveOutputs(options.outputs),
    precision: checkChoice(precision, ['float32', 'float64'], 'precision'),
    channelAxis: options.channelAxis,
  }
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
