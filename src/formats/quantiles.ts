/**
 * Exact quantiles of float32 values that are too many to keep, in two passes over them.
 *
 * Floats sort as their bits do, once those of negative numbers are turned. The first pass counts the upper 16 bits,
 * the second the lower 16 bits of those upper ones in which a quantile lies.
 */

import { DeepLiftError } from '../errors.js'

const HALF = 1 << 16

export class Quantiles {
  count = 0
  readonly #upper = new Float64Array(HALF)
  readonly #lower = new Map<number, Float64Array>()
  readonly #float = new Float32Array(1)
  readonly #bits = new Uint32Array(this.#float.buffer)

  /** @param fractions The quantiles asked for, 0 to 1. */
  constructor(private readonly fractions: readonly number[]) {}

  /** First pass. */
  add(values: Float32Array): void {
    this.count += values.length
    for (const value of values) this.#upper[this.#key(value) >>> 16]!++
  }

  /** Second pass, over the same values in any order. */
  refine(values: Float32Array): void {
    if (this.#lower.size === 0)
      for (const rank of this.fractions.flatMap((fraction) => this.#ranks(fraction)))
        this.#lower.set(this.#upperOf(rank).upper, new Float64Array(HALF))
    for (const value of values) {
      const key = this.#key(value)
      const counts = this.#lower.get(key >>> 16)
      if (counts) counts[key & (HALF - 1)]!++
    }
  }

  /** As NumPy's default: between two values linearly. */
  at(fraction: number): number {
    if (this.count === 0) throw new DeepLiftError('INTERNAL', 'There are no quantiles of no values.')
    const [below, above] = this.#ranks(fraction).map((rank) => this.#valueOf(rank)) as [number, number]
    const position = fraction * (this.count - 1)
    return below + (above - below) * (position - Math.floor(position))
  }

  #ranks(fraction: number): [number, number] {
    const below = Math.floor(fraction * (this.count - 1))
    return [below, Math.min(this.count - 1, below + 1)]
  }

  #upperOf(rank: number): { upper: number; before: number } {
    let before = 0
    let upper = 0
    while (before + this.#upper[upper]! <= rank) before += this.#upper[upper++]!
    return { upper, before }
  }

  #valueOf(rank: number): number {
    const { upper, before } = this.#upperOf(rank)
    const counts = this.#lower.get(upper)!
    let seen = before
    let lower = 0
    while (seen + counts[lower]! <= rank) seen += counts[lower++]!
    const key = ((upper << 16) | lower) >>> 0
    this.#bits[0] = key >= 0x8000_0000 ? key & 0x7fff_ffff : ~key
    return this.#float[0]!
  }

  #key(value: number): number {
    this.#float[0] = value
    const bits = this.#bits[0]!
    return bits >= 0x8000_0000 ? ~bits >>> 0 : (bits | 0x8000_0000) >>> 0
  }
}
