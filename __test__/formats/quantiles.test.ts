import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Quantiles } from '../../src/formats/quantiles.js'

const FRACTIONS = [0, 0.001, 0.25, 0.5, 0.9999, 1]

/** NumPy's default: linearly between sorted values. */
function expected(values: Float32Array, fraction: number): number {
  const sorted = values.slice().sort()
  const position = fraction * (sorted.length - 1)
  const below = Math.floor(position)
  const low = sorted[below]!
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!
  return low + (high - low) * (position - below)
}

test('quantiles are those of all values, sorted', () => {
  const number = fc.float({ noNaN: true, noDefaultInfinity: true })
  // Few distinct values, so that many are equal, or any.
  const numbers = fc.oneof(
    fc.array(number, { minLength: 1 }),
    fc.array(fc.constantFrom(-1, 0, 0.5), { minLength: 1 }),
  )
  fc.assert(
    fc.property(fc.array(numbers, { minLength: 1, maxLength: 5 }), (pieces) => {
      const arrays = pieces.map((piece) => Float32Array.from(piece))
      const quantiles = new Quantiles(FRACTIONS)
      for (const piece of arrays) quantiles.add(piece)
      for (const piece of arrays.toReversed()) quantiles.refine(piece)
      const all = Float32Array.from(pieces.flat())
      for (const fraction of FRACTIONS)
        expect(quantiles.at(fraction) - expected(all, fraction), `${fraction}`).toBeCloseTo(0, 30)
    }),
  )
})
