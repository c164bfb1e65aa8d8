import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { inCommon, jensenShannonDistance, profileAxes, turned } from '../../src/effects/profile.js'
import { randomFloats } from '../support/models.js'
import { sum } from '../support/numbers.js'

function softmax(logits: readonly number[]): number[] {
  const powers = logits.map(Math.exp)
  return powers.map((power) => power / sum(powers))
}

/** The definition, term by term. */
function plain(a: readonly number[], b: readonly number[]): number {
  const [p, q] = [softmax(a), softmax(b)]
  const half = (x: number[], y: number[]) =>
    sum(x.map((value, i) => (value === 0 ? 0 : value * Math.log2((2 * value) / (value + y[i]!)))))
  return Math.sqrt((half(p, q) + half(q, p)) / 2)
}

const distance = (a: readonly number[], b: readonly number[]) =>
  jensenShannonDistance(Float64Array.from(a), Float64Array.from(b))

describe('the Jensen-Shannon distance', () => {
  test('is that of the definition', () => {
    for (let seed = 1; seed < 20; seed++) {
      const [a, b] = [seed, seed + 100].map((each) =>
        Array.from(randomFloats(50, each), (value) => 5 * value),
      )
      expect(distance(a!, b!)).toBeCloseTo(plain(a!, b!), 12)
    }
  })

  test('by hand: of what never falls together, and of (1/2, 1/2) and (1, 0)', () => {
    expect(distance([0, -800], [-800, 0])).toBeCloseTo(1, 14)
    // ½ log2(4/3) + ¼ log2(2/3) + ¼ = 0.311278…
    expect(distance([0, 0], [0, -800])).toBeCloseTo(Math.sqrt(0.31127812445913283), 14)
  })

  test('is symmetric, knows no constant, is 0 for the same profile and grows from there without noise', () => {
    const logits = fc.array(fc.double({ min: -20, max: 20, noNaN: true }), { minLength: 2, maxLength: 9 })
    fc.assert(
      fc.property(logits, fc.double({ min: -5, max: 5, noNaN: true }), (a, shift) => {
        const b = [...a].reverse()
        expect(distance(a, b)).toBeCloseTo(distance(b, a), 12)
        expect(distance(a, a)).toBe(0)
        expect(
          distance(
            a.map((value) => value + shift),
            b,
          ),
        ).toBeCloseTo(distance(a, b), 7)
      }),
    )
    // To second order the distance is √(variance / 8 ln 2) of the change of the logits.
    const small = 1e-9
    expect(distance([0, 0], [0, small]) / small).toBeCloseTo(Math.sqrt(1 / 4 / 8 / Math.LN2), 6)
  })
})

describe('profiles of insertions and deletions', () => {
  const positions = (count: number) => Float64Array.from({ length: count }, (_, index) => index)
  const common = (lengths: [number, number], shape = [8], at = 6, length = 12) => {
    const profile = { logits: positions(shape.reduce((a, b) => a * b, 1)), shape }
    return inCommon(profile, profile, { at, length, lengths }).map((each) => [...each])
  }

  test('are compared where both have the same bases', () => {
    // A window of 12 with a profile of 8: index 6 is position 4.
    expect(common([1, 1])).toEqual([
      [0, 1, 2, 3, 4, 5, 6, 7],
      [0, 1, 2, 3, 4, 5, 6, 7],
    ])
    expect(common([1, 3])).toEqual([
      [0, 1, 2, 3, 4, 5],
      [0, 1, 2, 3, 4, 7],
    ])
    expect(common([3, 1])).toEqual([
      [0, 1, 2, 3, 4, 7],
      [0, 1, 2, 3, 4, 5],
    ])
    expect(common([2, 0])).toEqual([
      [0, 1, 2, 3, 6, 7],
      [0, 1, 2, 3, 4, 5],
    ])
    expect(common([3, 1], [2, 8])).toEqual([
      [0, 1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 15],
      [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13],
    ])
    expect(common([1, 2], [8, 2])).toEqual([
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15],
    ])
  })

  test('of an allele that reaches over the end of the profile have as many positions each', () => {
    const [five, all] = [
      [0, 1, 2, 3, 4],
      [0, 1, 2, 3, 4, 5, 6, 7],
    ]
    expect(common([1, 6])).toEqual([five, five])
    expect(common([6, 1])).toEqual([five, five])
    expect(common([5, 6])).toEqual([all, all])
  })
})

test('a profile of the reverse complement is turned around, strands as well', () => {
  const logits = Float64Array.of(1, 2, 3, 4, 5, 6)
  expect([...turned({ logits, shape: [2, 3] }).logits]).toEqual([6, 5, 4, 3, 2, 1])
  expect([...logits]).toEqual([1, 2, 3, 4, 5, 6])
  expect(profileAxes([2, 30])).toEqual({ positions: 30, axis: 1, tracks: 2 })
  expect(profileAxes([30, 2])).toEqual({ positions: 30, axis: 0, tracks: 2 })
  expect(profileAxes([1, 30])).toEqual({ positions: 30, axis: 1, tracks: 1 })
})
