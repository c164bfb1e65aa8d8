/** Dinucleotide shuffles as sequences: those that contributions of an example are averaged over. */

import { shuffles } from './native.js'
import { checkWholeNumber } from './options/check.js'
import type { DinucleotideShuffle } from './references.js'
import type { Tensor } from './tensor.js'

/**
 * The references of example `example` of a job, `[count, length]`: shuffle `k` is the one that `dinucleotideShuffle`
 * compares the example with.
 *
 * ```ts
 * const { data, shape } = shuffledSequences(codes, dinucleotideShuffle({ count: 20, seed: 1 }), 0)
 * ```
 *
 * @throws {DeepLiftError} INVALID_SEQUENCE for unknown bases where they are refused; INVALID_OPTION
 */
export function shuffledSequences(
  codes: Uint8Array,
  { count, seed, unknown }: DinucleotideShuffle,
  example = 0,
): Tensor<Uint8Array> {
  checkWholeNumber(example, 0, 'shuffledSequences: example')
  return { data: shuffles(codes, { count, seed, example, unknown }), shape: [count, codes.length] }
}
