// Times are worth nothing beside wrong answers: every benchmark stops on them.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkAnswers } from '../io/measure.mjs'
import { compareScores } from '../peers/agreement.mjs'
import { checkAnswer as checkSteps } from '../roofline/measure.mjs'
import { checkAnswer as checkStart } from '../start/measure.mjs'
import { installed } from './dependencies.mjs'

describe.skipIf(!installed)('bench: outputs beside those of ONNX Runtime', () => {
  const network = { name: 'two', sequences: 2, references: 2 }
  const inputs = { examples: 'examples', references: 'references' }
  const outputs = { examples: [1, -2], references: [0.5, 1.5, 3, 5] }
  const runs = (values) => async () => outputs[values]
  const scores = (output, referenceOutput) => async () => ({
    output: { data: output },
    referenceOutput: { data: referenceOutput },
    worstCompleteness: 1e-7,
  })

  test('rounding passes, wrong outputs do not, on examples as on references', async () => {
    const { check } = await import('../workload.mjs')
    const given = scores([1.00001, -2], [1, 4])
    expect(await check(network, { given }, runs, inputs)).toBe(1e-7)
    await expect(check(network, { given: scores([1.01, -2], [1, 4]) }, runs, inputs)).rejects.toThrow(
      'example 0',
    )
    const wrong = { given: scores([1, -2], [1, 4.1]) }
    await expect(check(network, wrong, runs, inputs)).rejects.toThrow('references of example 1')
    const nothing = { given: scores([1, Number.NaN], [1, 4]) }
    await expect(check(network, nothing, runs, inputs)).rejects.toThrow('example 1')
  })

  test('shuffles are made by each side, so only the examples are compared', async () => {
    const { check } = await import('../workload.mjs')
    const given = scores([1, -2], [1, 4])
    expect(await check(network, { given, shuffled: scores([1, -2], [9, 9]) }, runs, inputs)).toBe(1e-7)
    const shuffled = scores([1, -2.1], [9, 9])
    await expect(check(network, { given, shuffled }, runs, inputs)).rejects.toThrow('shuffled')
  })
})

describe('bench:peers: scores beside those of the others', () => {
  let folder
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'deeplift-bench-test-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const network = { name: 'one', sequences: 1, input: [4, 100], letters: true }
  const side = (name, change = () => {}) => {
    const values = Float32Array.from({ length: 400 }, (_, i) => (i % 7) - 3)
    change(values)
    return { name, worker: { ask: async ({ to }) => writeFileSync(to, values) } }
  }
  const exact = side('exact')

  test('the same scores agree, and what is moved between letters of a position is the same', async () => {
    const moved = side('moved', (values) => {
      values[5] += 1
      values[105] -= 1
    })
    const [, theirs] = await compareScores([side('deeplift'), moved], exact, { network, folder })
    expect(theirs.worstDifference).toBeLessThan(1e-6)
    expect(theirs.positionsApart).toBe(0)
  })

  test('each side is measured against float64 too', async () => {
    const rounded = side('rounded', (values) => {
      values[6] *= 1 + 6e-6
    })
    const [ours, theirs] = await compareScores([rounded, side('theirs')], exact, { network, folder })
    // That position is one of those with the largest sum over letters, 3.
    expect(ours.fromExact).toBeCloseTo(6e-6, 6)
    expect(theirs.fromExact).toBe(0)
  })

  test('other scores do not', async () => {
    const off = side('off', (values) => {
      values[5] += 0.01
    })
    await expect(compareScores([side('deeplift'), off], exact, { network, folder })).rejects.toThrow(
      'scores of off',
    )
  })

  test('ties in pools may move a score to another position, within the sum', async () => {
    const pools = { ...network, pools: true }
    const tied = side('tied', (values) => {
      values[5] += 1
      values[6] -= 1
    })
    const [, theirs] = await compareScores([side('deeplift'), tied], exact, { network: pools, folder })
    expect(theirs.positionsApart).toBeCloseTo(0.02)
    await expect(compareScores([side('deeplift'), tied], exact, { network, folder })).rejects.toThrow('tied')
    const lost = side('lost', (values) => {
      values[5] += 1
    })
    await expect(compareScores([side('deeplift'), lost], exact, { network: pools, folder })).rejects.toThrow(
      'lost',
    )
  })
})

test('bench:roofline and bench:start: contributions that do not sum to the difference', () => {
  checkSteps({ name: 'one' }, { completeness: [1e-7, 1e-6] })
  expect(() => checkSteps({ name: 'one' }, { completeness: [1e-7, 1e-2] })).toThrow('one')
  expect(() => checkSteps({ name: 'one' }, { completeness: [Number.NaN] })).toThrow('one')
  checkStart({ worstCompleteness: 1e-7 })
  expect(() => checkStart({ worstCompleteness: 1e-2 })).toThrow('mean nothing')
})

test('bench:io: both sides must read the same', () => {
  checkAnswers('read', [{ answer: 1e9 }, { answer: 1e9 + 1 }])
  expect(() => checkAnswers('read', [{ answer: 3 }, { answer: 3.001 }])).toThrow('we read 3, the peer 3.001')
  expect(() => checkAnswers('read', [{ answer: Number.NaN }, { answer: 3 }])).toThrow('read')
})
