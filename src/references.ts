/**
 * References: what an input is compared with.
 *
 * The choice decides what a contribution means, so there is no default.
 */

import { checkChoice, checkKeys, checkWholeNumber } from './options/check.js'
import type { InputData, Tensor } from './tensor.js'

export interface DinucleotideShuffleOptions {
  /** Shuffles per sequence. Default 20. */
  count?: number
  /** Whole number; equal seeds give equal shuffles, whatever the batch, thread or machine. Default 1. */
  seed?: number
  /**
   * Unknown bases (N): a fifth symbol that is shuffled like the others, kept where they are, or refused.
   * Default `'symbol'`.
   */
  unknown?: 'symbol' | 'fixed' | 'reject'
}

export interface DinucleotideShuffle {
  readonly kind: 'dinucleotide'
  readonly count: number
  readonly seed: number
  readonly unknown: 'symbol' | 'fixed' | 'reject'
}

/**
 * Shuffles of each sequence itself, drawn uniformly from all sequences with the same dinucleotide counts, first and
 * last base. Shuffle `k` of example `i` depends on `seed`, `i` and `k` alone. Contributions are averaged over them.
 *
 * ```ts
 * const references = dinucleotideShuffle({ count: 20, seed: 1 })
 * ```
 *
 * @throws {DeepLiftError} INVALID_OPTION
 */
export function dinucleotideShuffle(options: DinucleotideShuffleOptions = {}): DinucleotideShuffle {
  checkKeys(options, ['count', 'seed', 'unknown'], 'dinucleotideShuffle')
  const { count = 20, seed = 1, unknown = 'symbol' } = options
  return {
    kind: 'dinucleotide',
    count: checkWholeNumber(count, 1, 'dinucleotideShuffle: count'),
    seed: checkWholeNumber(seed, 0, 'dinucleotideShuffle: seed'),
    unknown: checkChoice(unknown, ['symbol', 'fixed', 'reject'], 'dinucleotideShuffle: unknown'),
  }
}

/** References of one input. Where there are several, contributions are averaged over them. */
export type InputReferences =
  /** All values 0. */
  | 'zeros'
  /** Every position holds the frequencies .25 of A, C, G, T; other frequencies as `{ background }`. */
  | 'background'
  | { background: readonly number[] }
  /** The input itself: it is held fixed, contributes nothing, and only the other inputs are explained. */
  | 'self'
  /** In streams: each record brings its own, as `references`. */
  | 'record'
  | DinucleotideShuffle
  /**
   * Given values. With the axes of one example (`[…]`), or one more whose extent is not the number of examples
   * (`[R, …]`): shared by all examples. `[n, …]` and `[n, R, …]`: one or R per example.
   */
  | Tensor<InputData>
  /** `[…]` or `[R, …]`, whatever R is. */
  | { shared: Tensor<InputData> }
  /** `[n, …]` or `[n, R, …]`. */
  | { perExample: Tensor<InputData> }

/** For all inputs alike, or by name of the input. */
export type References = InputReferences | { readonly [input: string]: InputReferences }
