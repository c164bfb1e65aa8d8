import { beforeAll, describe, expect, test } from 'vitest'
import { DeepLift, type Inputs } from '../../src/index.js'
import { expectError } from '../support/errors.js'
import { loadSequenceModel, randomCodes, randomFloats } from '../support/models.js'
import { largest, sum, sums } from '../support/numbers.js'
import { buildModel, DType, node, tensor, value } from '../support/onnx-builder.js'

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

/** From token ids `[batch, 5]` and a mask `[batch, 5]` to two values, through an embedding of 3. */
function tokenModel(): Uint8Array {
  return buildModel({
    inputs: [value('ids', ['batch', 5], DType.INT64), value('mask', ['batch', 5], DType.BOOL)],
    outputs: { y: ['batch', 2] },
    nodes: [
      node('Gather', ['table', 'ids'], ['embedded']),
      node('Cast', ['mask'], ['m'], { to: DType.FLOAT }),
      node('Unsqueeze', ['m', 'last'], ['mm']),
      node('Mul', ['embedded', 'mm'], ['masked']),
      node('ReduceSum', ['masked', 'middle'], ['pooled'], { keepdims: 0 }),
      node('Tanh', ['pooled'], ['h']),
      node('Gemm', ['h', 'w'], ['y']),
    ],
    initializers: [
      tensor('table', [7, 3], randomFloats(21, 1)),
      tensor('w', [3, 2], randomFloats(6, 2)),
      tensor('last', [1], BigInt64Array.of(-1n)),
      tensor('middle', [1], BigInt64Array.of(1n)),
    ],
  })
}

describe('token ids', () => {
  const ids = [1, 2, 3, 4, 0, 6, 5, 6, 0, 0]
  const mask = [1, 1, 1, 1, 0, 1, 1, 1, 0, 0]
  const tokens: Inputs = {
    ids: { data: BigInt64Array.from(ids, BigInt), shape: [2, 5] },
    mask: { data: Uint8Array.from(mask), shape: [2, 5] },
  }
  const references = {
    ids: { shared: { data: new Int32Array(5), shape: [5] } },
    mask: 'self',
  } as const

  test('are scored at their embedding', async () => {
    const bert = await DeepLift.load(tokenModel())
    const run = { references, target: 1, layers: 'embedded', precision: 'float64' } as const
    const scores = await bert.score(tokens, run)
    const { data, shape } = scores.contributions.embedded!
    expect(shape).toEqual([2, 5, 3])
    expect(scores.worstCompleteness).toBeLessThan(1e-12)
    const perToken = sums(data, 3)
    for (const [index, id] of ids.entries()) {
      // Masked tokens, and those that are the padding of the reference, contribute nothing.
      if (mask[index] === 0 || id === 0) expect(perToken[index]).toBe(0)
      else expect(perToken[index]).not.toBe(0)
    }
    expect(sum(perToken.slice(0, 5))).toBeCloseTo(scores.delta.data[0]!, 12)
  })

  test('may be any kind of whole numbers', async () => {
    const bert = await DeepLift.load(tokenModel())
    const run = { references, target: 0, layers: 'embedded' } as const
    const scores = await bert.score(tokens, run)
    for (const kind of [Float32Array, Float64Array, Int32Array, Int8Array, Uint16Array, Uint8Array]) {
      const other = {
        ids: { data: kind.from(ids), shape: [2, 5] },
        mask: { data: kind.from(mask), shape: [2, 5] },
      }
      expect(await bert.score(other, run)).toEqual(scores)
    }
    const records = [0, 1].map((row) => ({
      inputs: {
        ids: { data: Int32Array.from(ids.slice(5 * row, 5 * row + 5)), shape: [5] },
        mask: { data: Uint8Array.from(mask.slice(5 * row, 5 * row + 5)), shape: [5] },
      },
    }))
    for await (const batch of bert.stream(records, run))
      expect(batch.contributions.embedded).toEqual(scores.contributions.embedded)
  })
})
