/** Counted work of plans: by hand where it can be, and laws of the totals. */

import { describe, expect, test } from 'vitest'
import {
  DeepLift,
  type DescribeOptions,
  dinucleotideShuffle,
  type PassWork,
  type PlanDescription,
  type Rule,
} from '../../src/index.js'
import { DEMO_MODEL, loadSequenceModel, randomFloats } from '../support/models.js'
import { buildModel, node, tensor } from '../support/onnx-builder.js'

/** 32 values through a square dense layer and a rectifier: 32 columns fill the vectors of every instruction set. */
async function square(): Promise<DeepLift> {
  const bytes = buildModel({
    inputs: { x: ['batch', 32] },
    outputs: { y: ['batch', 32] },
    nodes: [node('Gemm', ['x', 'w'], ['h']), node('Relu', ['h'], ['y'])],
    initializers: [tensor('w', [32, 32], randomFloats(1024, 1))],
  })
  return await DeepLift.load(bytes, { threads: 1 })
}

const PRODUCTS = 2 * 32 * 32
const VECTOR = 32 * 4

describe('counted by hand', () => {
  test('a dense layer and a rectifier', async () => {
    const { steps, ...plan } = await (await square()).describe({ target: 0 })
    expect(steps).toMatchObject([
      {
        inputShapes: [[1, 32]],
        forward: { flops: PRODUCTS, weightBytes: 32 * VECTOR, valueBytes: 2 * VECTOR, recordBytes: 0 },
        record: { flops: 0, valueBytes: 0, recordBytes: 0 },
        adjoint: { flops: PRODUCTS, weightBytes: 32 * VECTOR, valueBytes: 2 * VECTOR, recordBytes: 0 },
      },
      {
        forward: { flops: 0, weightBytes: 0, valueBytes: 2 * VECTOR, recordBytes: 0 },
        record: { flops: 0, valueBytes: 2 * VECTOR, recordBytes: VECTOR },
        adjoint: { flops: 0, valueBytes: 2 * VECTOR, recordBytes: VECTOR },
      },
    ])
    expect(steps[0]!.forward.kernel).toMatch(/^dense \d+x2$/)
    // Zeros are the same for all examples: their values are no work of a pair.
    expect(plan.constantReferences).toBe(true)
    expect(plan.workPerExample).toMatchObject({ flops: PRODUCTS, denseFlops: PRODUCTS })
    expect(plan.workPerPair).toMatchObject({ flops: PRODUCTS, denseFlops: PRODUCTS })
    expect(plan.buffers.records).toEqual({ count: 1, bytes: VECTOR })
  })

  test('padding that meets no input is left out, a vector that is filled up is not', async () => {
    // One tap over 20 positions between 100 zeros of padding on each side.
    const bytes = buildModel({
      inputs: { x: ['batch', 64, 20] },
      outputs: { y: ['batch', 33, 220] },
      nodes: [node('Conv', ['x', 'w'], ['y'], { kernel_shape: [1], pads: [100, 100] })],
      initializers: [tensor('w', [33, 64, 1], randomFloats(33 * 64, 1))],
    })
    const model = await DeepLift.load(bytes, { threads: 1 })
    const [conv] = (await model.describe({ target: 0 })).steps
    expect(conv!.flops).toBe(2 * 220 * 33 * 64)
    // 33 channels take 36, 40 or 48 columns, and a tile of up to 14 rows may reach into the padding at both ends.
    expect(conv!.forward.flops).toBeGreaterThanOrEqual(2 * 20 * 36 * 64)
    expect(conv!.forward.flops).toBeLessThanOrEqual(2 * (20 + 2 * 13) * 48 * 64)
  })
})

const passes = ({ steps }: PlanDescription, name: 'forward' | 'record' | 'adjoint'): PassWork[] =>
  steps.flatMap((step) => step[name] ?? [])
const flopsOf = (all: readonly PassWork[]) => all.reduce((sum, { flops }) => sum + flops, 0)
const bytesOf = (all: readonly PassWork[]) =>
  all.reduce(
    (sum, { valueBytes, recordBytes, weightBytes, pairsPerReading }) =>
      sum + valueBytes + recordBytes + weightBytes / pairsPerReading,
    0,
  )

describe('totals', () => {
  const shuffled: DescribeOptions = { references: dinucleotideShuffle({ count: 3, seed: 1 }) }

  test.each<[Rule, number | number[]]>([
    ['rescale', 0],
    ['reveal-cancel', 1],
    ['genomics-default', [0, 2]],
    ['gradient', 0],
  ])('are the sums of the steps: %s, target %j', async (rule, target) => {
    const model = await DeepLift.load(DEMO_MODEL, { threads: 1 })
    const plan = await model.describe({ ...shuffled, rule, target })
    expect(plan.constantReferences).toBe(false)
    const [forward, record, adjoint] = (['forward', 'record', 'adjoint'] as const).map((pass) =>
      passes(plan, pass),
    )
    const targets = plan.targets.length
    expect(plan.workPerExample.flops).toBe(flopsOf(forward!))
    expect(plan.workPerPair.flops).toBe(flopsOf(forward!) + flopsOf(record!) + targets * flopsOf(adjoint!))
    const bytes = bytesOf(forward!) + bytesOf(record!) + targets * bytesOf(adjoint!)
    expect(plan.workPerPair.bytes).toBeCloseTo(bytes, 3)
  })

  test('RevealCancel pays for the parts of its differences', async () => {
    const model = await DeepLift.load(DEMO_MODEL, { threads: 1 })
    const describeRule = (rule: Rule) => model.describe({ ...shuffled, target: 0, rule })
    const [rescale, reveal] = [await describeRule('rescale'), await describeRule('reveal-cancel')]
    expect(flopsOf(passes(rescale, 'record'))).toBe(0)
    expect(flopsOf(passes(reveal, 'record'))).toBeGreaterThan(2 * flopsOf(passes(rescale, 'forward')))
    expect(reveal.memoryPerPair).toBeGreaterThan(rescale.memoryPerPair)
    expect(rescale.buffers.parts.count).toBe(0)
    expect(reveal.buffers.parts.count).toBeGreaterThan(0)
  })

  test('name the kernel of every convolution and dense layer in both directions', async () => {
    const plan = await (await loadSequenceModel(64)).describe({ ...shuffled, target: 0 })
    const layers = plan.steps.filter(({ structure }) => ['convolution', 'dense'].includes(structure))
    expect(layers.length).toBe(4)
    for (const { node, forward, adjoint } of layers) {
      expect(forward.kernel, node).not.toBe('')
      expect(adjoint!.kernel, node).not.toBe('')
    }
    // Rectifiers behind convolutions are applied as these store.
    expect(plan.steps.filter(({ forward }) => forward.kernel === 'in the epilogue').length).toBe(2)
  })

  test('values on given references are worked out per pair', async () => {
    const model = await square()
    const perExample = { data: new Float32Array(32), shape: [1, 1, 32] }
    const own = await model.describe({ target: 0, references: { perExample } })
    expect(own.constantReferences).toBe(false)
    expect(own.workPerPair.flops).toBe(2 * PRODUCTS)
  })
})
