import { beforeAll, describe, expect, test } from 'vitest'
import type { DeepLift, Inputs } from '../../src/index.js'
import { expectError } from '../support/errors.js'
import { loadSequenceModel, randomCodes, randomFloats } from '../support/models.js'
import { largest, sums } from '../support/numbers.js'

const LENGTH = 30
const EXAMPLES = 3
const inputs: Inputs = { x: { data: randomCodes(EXAMPLES * LENGTH, 5), shape: [EXAMPLES, LENGTH] } }
const options = { references: 'background', precision: 'float64' } as const

let model: DeepLift
beforeAll(async () => {
  model = await loadSequenceModel(LENGTH)
})

describe('layers', () => {
  test('before a linear step contribute weight times difference', async () => {
    const neurons = Array.from({ length: 8 }, (_, index) => ({ output: 'r3', index }))
    const { output, referenceOutput } = await model.score(inputs, { ...options, target: neurons })
    const { contributions } = await model.score(inputs, { ...options, target: 1, layers: 'r3' })
    expect(Object.keys(contributions)).toEqual(['r3'])
    const { data, shape } = contributions.r3!
    expect(shape).toEqual([EXAMPLES, 8])
    const weights = randomFloats(24, 6).subarray(8, 16)
    for (const [index, difference] of output.data.entries())
      expect(data[index]).toBeCloseTo(weights[index % 8]! * (difference - referenceOutput.data[index]!), 12)
  })

  test.each(['c1', 'r1', 'c2', 'r2', 'p', 'f', 'g'])(
    'that all goes through sum to the difference: %s',
    async (layer) => {
      const scores = await model.score(inputs, { ...options, target: [0, 2], layers: [layer] })
      expect(scores.worstCompleteness).toBeLessThan(1e-12)
      const { data, shape } = scores.contributions[layer]!
      expect(shape.slice(0, 2)).toEqual([EXAMPLES, 2])
      const totals = sums(data, data.length / (2 * EXAMPLES))
      expect(largest(totals.map((total, index) => total - scores.delta.data[index]!))).toBeLessThan(1e-12)
    },
  )

  test('are described, and are refused by name if there are none', async () => {
    const { scored } = await model.describe({ target: 0, layers: ['r1'] })
    expect(scored).toMatchObject([{ name: 'r1', shape: [6, LENGTH - 4], layer: true }])
    await expectError(
      () => model.score(inputs, { ...options, target: 0, layers: 'r9' }),
      'INVALID_OPTION',
      'r9',
    )
  })
})
