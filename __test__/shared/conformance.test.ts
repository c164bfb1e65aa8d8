/** Every conformance case against values computed by independent implementations. */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { Precision } from '../../src/index.js'
import { type FloatTensor, largest, largestDifference, readTensor, sum } from './arrays.js'
import {
  CANCELLING,
  type Case,
  categorise,
  DEEP,
  type Expectation,
  LAST_BITS,
  ROUNDED_IN_FILE,
  readCases,
} from './cases.js'
import { comparisons, outcome } from './comparison.js'
import { conformancePage, differingLines } from './page.js'
import { COMPLETE_RULES, COMPLETENESS } from './promises.js'
import { scoreCase, scoreMap, type TargetScores } from './scored.js'
import { Worst } from './worst.js'

const PAGE = fileURLToPath(new URL('../../docs/conformance.md', import.meta.url))
const cases = readCases()
const worst = new Worst('conformance')
const all = cases.flatMap((each) =>
  each.expectations.map((expectation) => ({
    each,
    expectation,
    category: categorise(expectation),
    name: `${each.group}/${each.id}: ${expectation.id}`,
  })),
)
const required = all.filter(({ category }) => category === 'required')

async function compare(each: Case, expectation: Expectation, precision: Precision): Promise<void> {
  const { maps } = await outcome(each, expectation, precision)
  for (const { where, output, error, limit } of maps)
    worst.note(`${each.group} ${expectation.method.rule} ${output} ${precision}`, error, limit, where)
  const failures = maps.filter(({ error, limit }) => !(error <= limit))
  expect(failures).toEqual([])
}

/** Largest residual of an example, relative to `scale`. */
function completenessLimit(
  { group, id, inputs }: Case,
  precision: Precision,
  result: TargetScores,
  example: number,
  scale: number,
): number {
  const name = `${group}/${id}`
  if (precision === 'float64') return COMPLETENESS.float64
  if (!CANCELLING.includes(name)) return DEEP[name] ?? COMPLETENESS.float32
  const terms = inputs.map(({ name }) => {
    const { data } = scoreMap(result, 'contributions', name, example)
    return sum(data.map(Math.abs))
  })
  return Math.max(COMPLETENESS.float32, (LAST_BITS * sum(terms)) / scale)
}

/** The difference of f that stored references make, summed up by us. */
async function checkCompleteness(each: Case, precision: Precision, rule: (typeof COMPLETE_RULES)[number]) {
  const results = await scoreCase(each, { rule, precision, outputs: ['contributions'] })
  for (const [target, result] of results.entries()) {
    const where = `${each.group}/${each.id}: ${rule}, target ${target}`
    const { completeness, delta, output, referenceOutput } = result.scores
    const [examples, targets] = output.shape
    for (let example = 0; example < examples!; example++) {
      const at = example * targets! + result.slot
      const scale = Math.max(...[delta, output, referenceOutput].map(({ data }) => Math.abs(data[at]!)))
      const limit = completenessLimit(each, precision, result, example, scale)
      worst.note(`completeness ${rule} ${precision}`, completeness.data[at]!, limit, where)
      expect(completeness.data[at], where).toBeLessThanOrEqual(limit)
    }
    await checkStored(each, result, target, precision, where)
  }
}

/** f(x) and f(x) − f(reference) as stored; sums of contributions are compared with the stored difference, not ours. */
async function checkStored(
  each: Case,
  result: TargetScores,
  target: number,
  precision: Precision,
  where: string,
): Promise<void> {
  const { scores, slot } = result
  const [examples, targets] = scores.output.shape
  const rounded = precision === 'float32' || each.id in ROUNDED_IN_FILE
  const outputs = each.outputs && storedRow(await readTensor(join(each.folder, each.outputs.file)), target)
  const delta =
    each.delta && !each.delta.axes && storedRow(await readTensor(join(each.folder, each.delta.file)), target)
  for (let example = 0; example < examples!; example++) {
    const output = scores.output.data[example * targets! + slot]!
    const scale = Math.max(
      Math.abs(output),
      Math.abs(scores.referenceOutput.data[example * targets! + slot]!),
    )
    const limit = completenessLimit(each, rounded ? 'float32' : 'float64', result, example, scale)
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
  test('every expectation is compared, but for defects', () => {
    expect([required.length, all.length]).toEqual([196, 198])
    const ids = cases.map(({ id }) => id)
    for (const id of Object.keys(ROUNDED_IN_FILE)) expect(ids).toContain(id)
  })

  describe.each(['float32', 'float64'] as const)('%s', (precision) => {
    const compared = required.filter(
      ({ each, expectation }) => comparisons(each, expectation, precision).length > 0,
    )
    test.each(compared.map((entry) => [entry.name, entry] as const))('%s', (_, { each, expectation }) =>
      compare(each, expectation, precision),
    )

    // Cases that differ in what they expect alone are one run.
    const runOf = (each: Case) => JSON.stringify([each.model, each.references.files])
    const runs = cases.filter((each) => each === cases.find((other) => runOf(other) === runOf(each)))
    test.each(
      runs.flatMap((each) => COMPLETE_RULES.map((rule) => [`${each.group}/${each.id}`, rule, each] as const)),
    )('%s, %s: contributions sum to the stored difference', (_, rule, each) =>
      checkCompleteness(each, precision, rule),
    )
  })

  test('docs/conformance.md is current', { timeout: 600_000 }, async () => {
    const fresh = await conformancePage(all)
    if (process.env.UPDATE_DOCS) writeFileSync(PAGE, fresh)
    expect(differingLines(fresh, readFileSync(PAGE, 'utf8')), 'run `npm run docs`').toEqual([])
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
})
