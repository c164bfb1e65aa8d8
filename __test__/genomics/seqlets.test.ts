import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { atRate, seqletRates, THRESHOLDS } from '../../src/genomics/seqlet-rates.js'
import { type Seqlet, SeqletCaller, type SeqletOptions } from '../../src/genomics/seqlets.js'
import { randomFloats } from '../support/models.js'

interface Fixture {
  cases: { options: Record<string, number>; seqlets: [number, number, number, number, number][] }[]
  rates: [threshold: number, seqlets: number, control: number, rate: number | null][]
  atRate: [row: number, start: number, end: number][]
}

const fixture = JSON.parse(
  readFileSync(new URL('fixtures/recursive-seqlets.json', import.meta.url), 'utf8'),
) as Fixture

const NAMES: Record<string, keyof SeqletOptions> = {
  threshold: 'threshold',
  min_seqlet_len: 'shortest',
  max_seqlet_len: 'longest',
  additional_flanks: 'flanks',
}

const N = 40
const LENGTH = 120

/** Noise with raised stretches, as fixtures/recursive_seqlets.py makes it. */
function contributions(): Float32Array {
  const values = randomFloats(N * LENGTH, 11).map((value) => value * Math.fround(0.05))
  for (let k = 0; k < 90; k++)
    for (let offset = 0; offset < 4 + (k % 11); offset++) {
      const position = ((k * 37) % 100) + offset
      values[(k % N) * LENGTH + position]! += 0.25
    }
  return values
}

/** Twice as many sequences of noise, of which some have weak stretches. */
function control(): Float32Array {
  const values = randomFloats(2 * N * LENGTH, 12).map((value) => value * Math.fround(0.05))
  for (let k = 0; k < 12; k++)
    for (let position = k; position < k + 6; position++)
      values[k * LENGTH + position]! += Math.fround(0.02 * k)
  return values
}

function callerOf(values: Float32Array, options: SeqletOptions): SeqletCaller {
  const caller = new SeqletCaller(options)
  caller.measure(values)
  caller.count(values)
  return caller
}

/** Contributions of each sequence. */
const rowsOf = (values: Float32Array, length: number) =>
  Array.from({ length: values.length / length }, (_, row) =>
    values.subarray(row * length, (row + 1) * length),
  )

function callAll(values: Float32Array, length: number, options: SeqletOptions): (Seqlet & { row: number })[] {
  const caller = callerOf(values, options)
  return rowsOf(values, length).flatMap((contributions, row) =>
    caller.call(contributions).map((seqlet) => ({ row, ...seqlet })),
  )
}

describe('seqlets are those that tangermeme calls', () => {
  test.each(fixture.cases)('with $options', ({ options, seqlets }) => {
    const named = Object.fromEntries(Object.entries(options).map(([name, value]) => [NAMES[name], value]))
    const found = callAll(contributions(), LENGTH, named)
    const order = (a: readonly number[], b: readonly number[]) =>
      a[0]! - b[0]! || a[1]! - b[1]! || a[2]! - b[2]!
    const ours = found.map(({ row, start, end }) => [row, start, end]).sort(order)
    expect(ours).toEqual(seqlets.map(([row, start, end]) => [row, start, end]).sort(order))
    for (const [row, start, end, attribution, pValue] of seqlets) {
      const seqlet = found.find((each) => each.row === row && each.start === start && each.end === end)!
      expect(seqlet.attribution).toBeCloseTo(attribution, 10)
      expect(Math.abs(seqlet.pValue / pValue - 1)).toBeLessThan(1e-9)
    }
  })
})

test('rates of false seqlets, and the threshold of a rate, are those of tangermeme', () => {
  const caller = callerOf(contributions(), {})
  const counts = (values: Float32Array) => {
    const ofRows = rowsOf(values, LENGTH).map((row) => caller.countAt(row, THRESHOLDS))
    return {
      counts: THRESHOLDS.map((_, index) => ofRows.reduce((sum, each) => sum + each[index]!, 0)),
      positions: values.length,
    }
  }
  const rates = seqletRates(counts(contributions()), counts(control()))
  expect(rates.map(({ seqlets, control }) => [seqlets, control])).toEqual(
    fixture.rates.map(([, seqlets, called]) => [seqlets, called]),
  )
  for (const [index, [threshold, , , rate]] of fixture.rates.entries()) {
    expect(rates[index]!.threshold / threshold).toBeCloseTo(1, 12)
    if (rate === null) expect(rates[index]!.rate).toBe(null)
    else expect(rates[index]!.rate).toBeCloseTo(rate, 12)
  }
  const { threshold } = atRate(rates, 0.012)!
  expect(threshold).toBeLessThan(0.01)
  const places = (rows: readonly (readonly number[])[]) => rows.map((row) => row.join(':')).sort()
  const found = callAll(contributions(), LENGTH, { threshold })
  expect(places(found.map(({ row, start, end }) => [row, start, end]))).toEqual(places(fixture.atRate))
  expect(atRate(rates, 0.001)).toBe(undefined)
})

test('every span inside a seqlet is below the threshold, and seqlets do not overlap', () => {
  const value = fc.float({ min: -1, max: 1, noNaN: true })
  fc.assert(
    fc.property(
      fc.array(fc.array(value, { minLength: 9, maxLength: 9 }), { minLength: 1, maxLength: 6 }),
      fc.constantFrom(0.05, 0.3, 1),
      (rows, threshold) => {
        const values = Float32Array.from(rows.flat())
        const found = callAll(values, 9, { threshold, shortest: 2, longest: 5 })
        const taken = new Set<number>()
        for (const { row, start, end, pValue } of found) {
          expect(pValue).toBeLessThan(threshold)
          for (let position = start; position < end; position++) {
            expect(taken.has(row * 9 + position)).toBe(false)
            taken.add(row * 9 + position)
          }
          // A caller of that length alone tells p-values of spans.
          for (let size = 2; size <= end - start; size++)
            for (let inner = start; inner + size <= end; inner++)
              expect(pValueOf(values, row * 9 + inner, size)).toBeLessThan(threshold)
        }
      },
    ),
    { numRuns: 20 },
  )
})

/** By enumeration of all sums of draws, weighted by how often each value occurs. */
function pValueOf(values: Float32Array, first: number, size: number): number {
  const smallest = Math.min(...values)
  const width = Math.fround(Math.max(...values) - smallest) / 999
  const bin = (value: number) => Math.floor(Math.fround(value - smallest) / width)
  let sums = new Map([[0, 1]])
  for (let draw = 0; draw < size; draw++) {
    const next = new Map<number, number>()
    for (const [sum, probability] of sums)
      for (const value of values)
        next.set(sum + bin(value), (next.get(sum + bin(value)) ?? 0) + probability / values.length)
    sums = next
  }
  const observed = values.subarray(first, first + size).reduce((sum, value) => sum + bin(value), 0)
  let p = 0
  for (const [sum, probability] of sums) if (sum >= observed) p += probability
  // Rounding of sums of probabilities; thresholds of the test are not that close to any.
  return p - 1e-9
}

test('contributions that are all equal, and sequences shorter than a seqlet, have none', () => {
  expect(callAll(new Float32Array(40).fill(0.5), 10, {})).toEqual([])
  expect(callAll(Float32Array.of(1, 2, 3), 3, {})).toEqual([])
})
