/** Random sequences of independent bases: the same for the same seed, number and composition, on any machine. */

import { createCipheriv, createHash } from 'node:crypto'

/** Frequencies of A, C, G and T, which sum to 1. */
export type Composition = readonly [number, number, number, number]

/**
 * Sequence `number` of `seed`: base codes by comparing 32 random bits per base with the cumulative frequencies. The
 * bits are the key stream of AES-128-CTR under the hash of seed and number.
 */
export function randomSequence(
  seed: number,
  number: number,
  length: number,
  [a, c, g]: Composition,
): Uint8Array {
  const hash = createHash('sha256').update(`${seed}:${number}`).digest()
  const cipher = createCipheriv('aes-128-ctr', hash.subarray(0, 16), hash.subarray(16))
  const bits = cipher.update(Buffer.alloc(4 * length))
  return Uint8Array.from({ length }, (_, position) => {
    const value = bits.readUInt32LE(4 * position) / 2 ** 32
    if (value < a) return 0
    if (value < a + c) return 1
    return value < a + c + g ? 2 : 3
  })
}
