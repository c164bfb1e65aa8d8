/** One expectation of a conformance case beside what this package computes. */

import { join } from 'node:path'
import { expect } from 'vitest'
import type { OutputName, Precision } from '../../src/index.js'
import { type FloatTensor, largest, largestDifference, readTensor, sumAxis } from './arrays.js'
import {
  type Case,
  type Expectation,
  methodOf,
  PSEUDO_COUNT_SHOWS,
  ROUNDED_IN_FILE,
  type StoredArray,
  type Tolerance,
} from './cases.js'
import { scoreCase, scoreMap } from './scored.js'

/** What a run of one precision is compared with. */
interface Comparison {
  output: OutputName
  stored: Record<string, StoredArray>
  tolerance: Tolerance
}

export interface MapComparison {
  /** Which map of which output. */
  where: string
  output: OutputName
  error: number
  limit: number
}

export interface Outcome {
  maps: MapComparison[]
  /** The largest difference, relative to the largest expected value of the same kind. */
  difference: number
  /** Our worst completeness over the targets and examples compared. */
  completeness: number
}

/** Empty where the expectation has no values for this precision. */
export function comparisons(
  { id, references }: Case,
  expectation: Expectation,
  precision: Precision,
): Comparison[] {
  const { contributions, contributionsDouble, multipliers, hypothetical, tolerance, toleranceDouble } =
    expectation
  if (precision === 'float64') {
    if (!toleranceDouble) return []
    const stored = contributionsDouble ?? contributions!
    return [
      {
        output: 'contributions',
        stored,
        tolerance: ROUNDED_IN_FILE[id]?.contributions ? tolerance : toleranceDouble,
      },
    ]
  }
  const main = references.pairing === undefined ? 'contributions' : 'perReference'
  const entries = [
    [main, contributions],
    ['multipliers', multipliers],
    ['hypothetical', hypothetical],
  ] as const
  return entries.flatMap(([output, stored]) => (stored ? [{ output, stored, tolerance }] : []))
}

const outcomes = new Map<string, Promise<Outcome>>()

/** Computed once, since the tests and the page both ask. */
export function outcome(each: Case, expectation: Expectation, precision: Precision): Promise<Outcome> {
  const key = `${each.group}/${each.id} ${expectation.id} ${precision}`
  let result = outcomes.get(key)
  if (!result) {
    result = compare(each, expectation, precision)
    outcomes.set(key, result)
  }
  return result
}

async function compare(each: Case, expectation: Expectation, precision: Precision): Promise<Outcome> {
  const wanted = comparisons(each, expectation, precision)
  const { examples } = Object.values(wanted[0]!.stored)[0]!
  const results = await scoreCase(each, {
    ...methodOf(each, expectation),
    precision,
    outputs: wanted.map(({ output }) => output),
    examples,
  })
  const maps: MapComparison[] = []
  let difference = 0
  for (const { output, stored, tolerance } of wanted)
    for (const [input, array] of Object.entries(stored)) {
      expect(array.examples, 'arrays of one expectation hold the same examples').toEqual(examples)
      const expected = await readTensor(join(each.folder, array.file))
      const scale = largest(expected.data)
      const [targets, count] = expected.shape
      for (let target = 0; target < targets!; target++)
        for (let example = 0; example < count!; example++) {
          const actual = comparableMap(each, array, scoreMap(results[target]!, output, input, example), input)
          const values = storedMap(expected, target, example)
          const where = `${each.id}: ${expectation.id}, ${output} of ${input}, target ${target}, example ${examples?.[example] ?? example}`
          const error = largestDifference(actual.data, values)
          const limit = PSEUDO_COUNT_SHOWS[where] ?? tolerance.atol + tolerance.rtol * largest(values)
          maps.push({ where, output, error, limit })
          difference = Math.max(difference, scale === 0 ? error : error / scale)
        }
    }
  const completeness = Math.max(...results.map(({ scores }) => scores.worstCompleteness))
  return { maps, difference, completeness }
}

/** The part of a stored array that belongs to one target and example. */
function storedMap({ data, shape }: FloatTensor, target: number, example: number) {
  const size = data.length / shape[0]! / shape[1]!
  const from = (target * shape[1]! + example) * size
  return data.subarray(from, from + size)
}

/** A map of ours, summed over the axis that the stored array has summed. */
function comparableMap(each: Case, array: StoredArray, map: FloatTensor, input: string): FloatTensor {
  if (array.reduction === undefined) return map
  const axes = each.inputs.find(({ name }) => name === input)!.axes!.slice(1)
  return sumAxis(
    map,
    axes.findIndex((axis) => !array.axes.includes(axis)),
  )
}
