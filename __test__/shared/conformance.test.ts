/** Every conformance case against values computed by independent implementations. */

import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { OutputName, Precision } from '../../src/index.js'
import { expectError } from '../support/errors.js'
import { type FloatTensor, largest, largestDifference, readTensor, sum, sumAxis } from './arrays.js'
import {
  CANCELLING,
  type Case,
  type Category,
  categorise,
  type Expectation,
  methodOptions,
  PSEUDO_COUNT_SHOWS,
  REFUSED,
  ROUNDED_IN_FILE,
  readCases,
  type StoredArray,
  type Tolerance,
} from './cases.js'
import { COMPLETE_RULES, COMPLETENESS } from './promises.js'
import { scoreCase, scoreMap, type TargetScores } from './scored.js'
import { Worst } from './worst.js'

const cases = readCases()
const worst = new Worst('conformance')
const all = cases.flatMap((each) =>
  each.expectations.map((expectation) => ({
    each,
    expectation,
    category: categorise(each, expectation),
    name: `${each.group}/${each.id}: ${expectation.id}`,
  })),
)
const inCategory = (category: Category) => all.filter((entry) => entry.category === category)
const supported = cases.filter(({ id }) => !(id in REFUSED))

interface Comparison {
  output: OutputName
  stored: Record<string, StoredArray>
  tolerance: Tolerance
}

/** What a run of this precision is compared with. */
function comparisons({ id, references }: Case, expectation: Expectation, precision: Precision): Comparison[] {
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

/** The part of a stored array that belongs to one target and example. */
function storedMap({ data, shape }: FloatTensor, target: number, example: number) {
  const size = data.length / shape[0]! / shape[1]!
  const from = (target * shape[1]! + example) * size
  return data.subarray(from, from + size)
}

async function compare(each: Case, expectation: Expectation, precision: Precision): Promise<void> {
  const wanted = comparisons(each, expectation, precision)
  const { examples } = Object.values(wanted[0]!.stored)[0]!
  const results = await scoreCase(each, {
    ...methodOptions(expectation),
    precision,
    outputs: wanted.map(({ output }) => output),
    examples,
  })
  const failures: string[] = []
  for (const { output, stored, tolerance } of wanted)
    for (const [input, array] of Object.entries(stored)) {
      expect(array.examples, 'arrays of one expectation hold the same examples').toEqual(examples)
      const expected = await readTensor(join(each.folder, array.file))
      const [targets, count] = expected.shape
      for (let target = 0; target < targets!; target++)
        for (let example = 0; example < count!; example++) {
          const actual = comparableMap(each, array, scoreMap(results[target]!, output, input, example), input)
          const values = storedMap(expected, target, example)
          const where = `${each.id}: ${expectation.id}, ${output} of ${input}, target ${target}, example ${examples?.[example] ?? example}`
          const error = largestDifference(actual.data, values)
          const limit = PSEUDO_COUNT_SHOWS[where] ?? tolerance.atol + tolerance.rtol * largest(values)
          worst.note(`${each.group} ${expectation.method.rule} ${output} ${precision}`, error, limit, where)
          if (!(error <= limit)) failures.push(`${where}: off by ${error}, limit ${limit}`)
        }
    }
  expect(failures).toEqual([])
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

function completenessLimit({ group, id }: Case, precision: Precision): number {
  return precision === 'float32'
    ? (CANCELLING[`${group}/${id}`] ?? COMPLETENESS.float32)
    : COMPLETENESS.float64
}

/** The difference of f that stored references make, summed up by us. */
async function checkCompleteness(each: Case, precision: Precision, rule: (typeof COMPLETE_RULES)[number]) {
  const results = await scoreCase(each, { rule, precision, outputs: ['contributions'] })
  for (const [target, result] of results.entries()) {
    const where = `${each.group}/${each.id}: ${rule}, target ${target}`
    const { worstCompleteness } = result.scores
    const limit = completenessLimit(each, precision)
    worst.note(`completeness ${rule} ${precision}`, worstCompleteness, limit, where)
    expect(worstCompleteness, where).toBeLessThanOrEqual(limit)
    await checkStored(each, result, target, precision, where)
  }
}

/** f(x) and f(x) − f(reference) as stored; sums of contributions are compared with the stored difference, not ours. */
async function checkStored(
  each: Case,
  { scores, slot }: TargetScores,
  target: number,
  precision: Precision,
  where: string,
): Promise<void> {
  const [examples, targets] = scores.output.shape
  const rounded = precision === 'float32' || each.id in ROUNDED_IN_FILE
  const limit = completenessLimit(each, rounded ? 'float32' : 'float64')
  const outputs = each.outputs && storedRow(await readTensor(join(each.folder, each.outputs.file)), target)
  const delta =
    each.delta && !each.delta.axes && storedRow(await readTensor(join(each.folder, each.delta.file)), target)
  for (let example = 0; example < examples!; example++) {
    const output = scores.output.data[example * targets! + slot]!
    const scale = Math.max(
      Math.abs(output),
      Math.abs(scores.referenceOutput.data[example * targets! + slot]!),
    )
    const compared = (what: string, actual: number, expected: number) => {
      const error = Math.abs(actual - expected) / scale
      worst.note(
        `${what} ${precision}${each.id in ROUNDED_IN_FILE ? ' rounded in file' : ''}`,
        error,
        limit,
        where,
      )
      expect(error, `${what} of ${where}, example ${example}`).toBeLessThanOrEqual(limit)
    }
    if (outputs) compared('f(x)', output, outputs[example]!)
    if (!delta) continue
    const total = sum(
      each.inputs.map(({ name }) => sum(scoreMap({ scores, slot }, 'contributions', name, example).data)),
    )
    compared('sum of contributions', total, delta[example]!)
  }
}

function storedRow({ data, shape }: FloatTensor, target: number) {
  return data.subarray(target * shape[1]!, (target + 1) * shape[1]!)
}

describe.skipIf(cases.length === 0)('conformance', () => {
  test('every expectation is compared, refused, or of a method that is not there', () => {
    const counts = Object.fromEntries(
      (['required', 'informative', 'absent', 'refused'] as const).map((category) => [
        category,
        inCategory(category).length,
      ]),
    )
    expect(counts).toEqual({ required: 143, informative: 1, absent: 51, refused: 3 })
    const ids = cases.map(({ id }) => id)
    for (const id of [...Object.keys(REFUSED), ...Object.keys(ROUNDED_IN_FILE)]) expect(ids).toContain(id)
  })

  describe.each(['float32', 'float64'] as const)('%s', (precision) => {
    const compared = inCategory('required').filter(
      ({ each, expectation }) => comparisons(each, expectation, precision).length > 0,
    )
    test.each(compared.map((entry) => [entry.name, entry] as const))('%s', (_, { each, expectation }) =>
      compare(each, expectation, precision),
    )

    // Cases that differ in what they expect alone are one run.
    const runOf = (each: Case) => JSON.stringify([each.model, each.references.files])
    const runs = supported.filter((each) => each === supported.find((other) => runOf(other) === runOf(each)))
    test.each(
      runs.flatMap((each) => COMPLETE_RULES.map((rule) => [`${each.group}/${each.id}`, rule, each] as const)),
    )('%s, %s: contributions sum to the stored difference', (_, rule, each) =>
      checkCompleteness(each, precision, rule),
    )
  })

  test.each(Object.keys(ROUNDED_IN_FILE))('%s: f(x) of the file is not the stored one', async (id) => {
    const each = cases.find((candidate) => candidate.id === id)!
    const results = await scoreCase(each, {
      rule: 'rescale',
      precision: 'float64',
      outputs: ['contributions'],
    })
    const stored = await readTensor(join(each.folder, each.outputs!.file))
    const off = results.map(({ scores, slot }, target) => {
      const [examples, targets] = scores.output.shape
      const ours = Array.from(
        { length: examples! },
        (_, example) => scores.output.data[example * targets! + slot]!,
      )
      return largestDifference(ours, storedRow(stored, target))
    })
    expect(Math.max(...off)).toBeGreaterThan(1e-11 * largest(stored.data))
  })

  test.each(Object.entries(REFUSED))('%s is refused by node name', async (id, { op, node }) => {
    const each = cases.find((candidate) => candidate.id === id)!
    const error = await expectError(
      () => scoreCase(each, { rule: 'rescale', precision: 'float32', outputs: ['contributions'] }),
      'UNSUPPORTED_OP',
      `'${node}'`,
      op,
    )
    expect(error.message).toContain('operator')
  })

  test.each(inCategory('informative').map((entry) => [entry.name, entry] as const))(
    '%s: finite, where ours differs by design',
    async (_, { each, expectation }) => {
      const results = await scoreCase(each, {
        ...methodOptions(expectation),
        precision: 'float32',
        outputs: ['contributions', 'multipliers'],
      })
      for (const { scores } of results)
        for (const output of ['contributions', 'multipliers'] as const)
          for (const { data } of Object.values(scores[output])) expect(data.every(Number.isFinite)).toBe(true)
    },
  )
})
