import { beforeAll, describe, expect, test } from 'vitest'
import { DeepLift, type PlanChoices, type RuleName } from '../../src/index.js'
import { loadSequenceModel, oneHot, randomCodes, randomFloats, twoInputModel } from '../support/models.js'
import { largest, largestDifference } from '../support/numbers.js'
import { buildModel, node, tensor } from '../support/onnx-builder.js'

const LENGTH = 30
const EXAMPLES = 3
const codes = randomCodes(EXAMPLES * LENGTH, 7)
const values = oneHot(codes, LENGTH)
const inputs = { x: { data: values, shape: [EXAMPLES, 4, LENGTH] } }

let model: DeepLift
beforeAll(async () => {
  model = await loadSequenceModel(LENGTH)
})

/** One example of one input, scored in double precision. */
async function scoreRow(
  network: DeepLift,
  x: readonly number[],
  x0: readonly number[],
  choices: PlanChoices,
) {
  const row = (data: readonly number[]) => ({ data: Float64Array.from(data), shape: [1, data.length] })
  const references = { shared: row(x0) }
  const scores = await network.score({ x: row(x) }, { references, precision: 'float64', ...choices })
  return { ...scores, c: [...scores.contributions.x!.data] }
}

describe('guided rules, by hand', () => {
  // h = (2a - b, b - a), y = 3 relu(h0) - relu(h1).
  const network = () =>
    DeepLift.load(
      buildModel({
        inputs: { x: ['batch', 2] },
        outputs: { y: ['batch', 1] },
        nodes: [node('Gemm', ['x', 'w'], ['h']), node('Relu', ['h'], ['r']), node('Gemm', ['r', 'v'], ['y'])],
        initializers: [tensor('w', [2, 2], [2, -1, -1, 1]), tensor('v', [2, 1], [3, -1])],
      }),
    )
  const cases: [RuleName, number[], number[], number[]][] = [
    // At (1, 3) only h1 = 2 is active, and its multiplier is -1.
    ['gradient', [1, 3], [0, 0], [1, -1]],
    ['guided-backprop', [1, 3], [0, 0], [0, 0]],
    ['guided-backprop-rescale', [1, 3], [0, 0], [0, 0]],
    // relu(3) = 3 passes whatever h is, relu(-1) = 0 never does.
    ['deconvnet', [1, 3], [0, 0], [6, -3]],
    // From (2, 0) to (1, 3): h from (4, -2) to (-1, 2); Rescale (0 - 4) / (-1 - 4) = .8 of 3.
    ['guided-backprop-rescale', [1, 3], [2, 0], [4.8, -2.4]],
    ['guided-backprop', [2, 1], [0, 0], [6, -3]],
  ]
  test.each(cases)('%s at %j against %j', async (rule, x, x0, multipliers) => {
    const choices: PlanChoices = { rule, outputs: ['multipliers', 'contributions'], target: 0 }
    const { multipliers: found } = await scoreRow(await network(), x, x0, choices)
    for (const [index, value] of multipliers.entries()) expect(found.x!.data[index]).toBeCloseTo(value, 12)
  })
})

describe('integrated gradients', () => {
  const of = async (steps: number) =>
    await model.score(inputs, {
      references: 'background',
      target: 1,
      rule: { default: 'integrated-gradients', steps },
      precision: 'float64',
    })

  test('are the mean of gradients in the middle of each step, times the difference', async () => {
    const steps = 4
    const found = (await of(steps)).contributions.x!.data
    const mean = new Float64Array(values.length)
    for (let step = 0; step < steps; step++) {
      const share = (step + 0.5) / steps
      const data = Float64Array.from(values, (value) => 0.25 + share * (value - 0.25))
      const { multipliers } = await model.score(
        { x: { data, shape: [EXAMPLES, 4, LENGTH] } },
        { references: 'zeros', target: 1, rule: 'gradient', outputs: ['multipliers'], precision: 'float64' },
      )
      for (const [index, value] of multipliers.x!.data.entries()) mean[index]! += value / steps
    }
    const expected = mean.map((value, index) => value * (values[index]! - 0.25))
    expect(largestDifference(found, expected)).toBeLessThan(1e-12)
  })

  test('come nearer to the difference with more steps', async () => {
    const [few, many] = [await of(2), await of(200)]
    expect(many.worstCompleteness).toBeLessThan(few.worstCompleteness / 5)
    expect(many.worstCompleteness).toBeLessThan(1e-2)
  })
})

describe('max pools', () => {
  const pool = () =>
    DeepLift.load(
      buildModel({
        inputs: { x: ['batch', 4] },
        outputs: { y: ['batch', 1] },
        nodes: [node('ReduceMax', ['x', 'axes'], ['y'], { keepdims: 1 })],
        initializers: [tensor('axes', [1], BigInt64Array.of(1n))],
      }),
    )
  const cases: [NonNullable<PlanChoices['variants']>['maxPool'], number[]][] = [
    [undefined, [0, 0, 0, -8]],
    ['cross', [0, 0, 0, -8]],
    ['path', [0, 0, 0, -8]],
    ['shapley', [0, -1 / 3, -5 / 6, -41 / 6]],
    ['argmax', [0, 0, 0, 0]],
  ]
  test.each(cases)('%s', async (maxPool, contributions) => {
    const variants = maxPool ? { maxPool } : {}
    const { c, warnings } = await scoreRow(await pool(), [1, 1, 1, 1], [1, 2, 3, 9], { target: 0, variants })
    expect(largestDifference(c, contributions)).toBeLessThan(1e-12)
    expect(warnings.some((text) => text.includes('sum'))).toBe(maxPool === 'argmax')
  })
})

describe('a final sigmoid or softmax', () => {
  const network = (op: string) =>
    DeepLift.load(
      buildModel({
        inputs: { x: ['batch', 3] },
        outputs: { p: ['batch', 3] },
        nodes: [node('Gemm', ['x', 'w'], ['l']), node(op, ['l'], ['p'])],
        initializers: [tensor('w', [3, 3], randomFloats(9, 4))],
      }),
    )
  const x = [1, -2, 0.5]
  const zeros = [0, 0, 0]

  test('is left out, with a warning', async () => {
    const sigmoid = await network('Sigmoid')
    const logit = await scoreRow(sigmoid, x, zeros, { target: { output: 'l', index: 1 } })
    const peeled = await scoreRow(sigmoid, x, zeros, { target: 1 })
    expect(peeled.c).toEqual(logit.c)
    expect(peeled.output).toEqual(logit.output)
    expect(peeled.warnings.join()).toMatch(/Sigmoid/)
    expect(logit.warnings).toEqual([])
  })

  test('under softmax, logits are explained less their mean', async () => {
    const softmax = await network('Softmax')
    const centred = await scoreRow(softmax, x, zeros, { target: { output: 'l', index: 2, centred: true } })
    const peeled = await scoreRow(softmax, x, zeros, { target: 2 })
    expect(largestDifference(peeled.c, centred.c)).toBeLessThan(1e-14)
    expect(peeled.delta.data[0]).toBeCloseTo(centred.delta.data[0]!, 12)
  })

  test.each(['Sigmoid', 'Softmax'])('is explained itself on request: %s', async (op) => {
    const scores = await scoreRow(await network(op), x, zeros, { target: 0, peel: false })
    expect(scores.output.data[0]).toBeGreaterThan(0)
    expect(scores.output.data[0]).toBeLessThan(1)
    expect(scores.worstCompleteness).toBeLessThan(1e-12)
  })
})

describe('the reverse complement', () => {
  /** Values of the reverse complement: channels and positions turned round. */
  const flip = (data: ArrayLike<number>) => {
    const size = 4 * LENGTH
    return Float64Array.from(data, (_, index) => {
      const row = Math.floor(index / size)
      return data[row * size + (size - 1 - (index % size))]!
    })
  }
  const shape = [EXAMPLES, 4, LENGTH]
  const reference = randomFloats(EXAMPLES * 4 * LENGTH, 9)
  const score = async (data: Float64Array, x0: Float64Array, reverseComplement: boolean) => {
    const references = { perExample: { data: x0, shape } }
    const scores = await model.score(
      { x: { data, shape } },
      { references, target: 2, precision: 'float64', reverseComplement },
    )
    return scores
  }
  const [x, x0] = [Float64Array.from(values), Float64Array.from(reference)]

  test('averages both strands', async () => {
    const both = await score(x, x0, true)
    const forward = await score(x, x0, false)
    const backward = await score(flip(x), flip(x0), false)
    const turned = flip(backward.contributions.x!.data)
    const mean = forward.contributions.x!.data.map((value, index) => (value + turned[index]!) / 2)
    expect(largestDifference(both.contributions.x!.data, mean)).toBeLessThan(1e-13)
    for (const key of ['output', 'referenceOutput', 'delta'] as const) {
      const means = forward[key].data.map((value, index) => (value + backward[key].data[index]!) / 2)
      expect(largestDifference(both[key].data, means)).toBeLessThan(1e-12)
    }
    expect(both.worstCompleteness).toBeLessThan(1e-12)
  })

  test('mirrors the scores of the reverse complement', async () => {
    const one = await score(x, x0, true)
    const other = await score(flip(x), flip(x0), true)
    expect(largestDifference(flip(other.contributions.x!.data), one.contributions.x!.data)).toBeLessThan(
      1e-13,
    )
  })

  test('is refused without letters', async () => {
    const two = await DeepLift.load(twoInputModel())
    const run = two.describe({ target: { output: 'y', index: 0 }, reverseComplement: true })
    await expect(run).rejects.toThrow(/reverseComplement needs an input with an axis of 4 letters/)
  })
})

test('targets of several outputs are those of each alone', async () => {
  const two = await DeepLift.load(twoInputModel())
  const data = {
    a: { data: randomFloats(12, 1), shape: [4, 3] },
    b: { data: randomFloats(20, 2), shape: [4, 5] },
  }
  const target = [
    { output: 'y', index: 0 },
    { output: 'z', index: 1 },
    { output: 'y', index: 1 },
  ]
  const all = await two.score(data, { references: 'zeros', target })
  for (const [slot, each] of target.entries()) {
    const alone = await two.score(data, { references: 'zeros', target: each })
    for (let example = 0; example < 4; example++) {
      const row = all.contributions.a!.data.subarray((3 * example + slot) * 3, (3 * example + slot + 1) * 3)
      expect(
        largestDifference(row, alone.contributions.a!.data.subarray(3 * example, 3 * example + 3)),
      ).toBeLessThan(1e-6)
      expect(all.output.data[3 * example + slot]).toBeCloseTo(alone.output.data[example]!, 6)
    }
  }
})

test('mean normalisation changes multipliers by a constant per position, and contributions against zeros', async () => {
  const run = async (meanNormalised: boolean, references: 'zeros' | 'background') =>
    await model.score(inputs, {
      references,
      target: 0,
      meanNormalised,
      precision: 'float64',
      outputs: ['contributions', 'multipliers'],
    })
  const against = { plain: await run(false, 'background'), normalised: await run(true, 'background') }
  expect(
    largestDifference(against.plain.output.data, against.normalised.output.data),
    'one-hot inputs give the same output',
  ).toBeLessThan(1e-12)
  const normalised = await run(true, 'zeros')
  const { data } = normalised.multipliers.x!
  const means = Array.from({ length: EXAMPLES * LENGTH }, (_, index) => {
    const first = Math.floor(index / LENGTH) * 4 * LENGTH + (index % LENGTH)
    return [0, 1, 2, 3].reduce((total, letter) => total + data[first + letter * LENGTH]!, 0)
  })
  expect(largest(means)).toBeLessThan(1e-12)
  expect(normalised.worstCompleteness).toBeLessThan(1e-12)
})

describe('trace', () => {
  test('finds nothing to blame where all is exact', async () => {
    const nodes = await model.trace(inputs, {
      references: 'background',
      target: [0, 1],
      precision: 'float64',
    })
    expect(nodes.length).toBeGreaterThan(5)
    for (const { relative, residual } of nodes) {
      expect(relative).toBeLessThan(1e-12)
      expect(residual).toBeLessThan(1e-12)
    }
  })

  test('names the node whose rule does not sum up first, from tensors and from records', async () => {
    const { steps } = await model.describe({ target: 0 })
    const relu = steps.filter(({ op }) => op === 'Relu').at(-1)!
    const options = {
      references: 'background',
      target: 0,
      rule: { overrides: { [relu.node]: 'gradient' } },
      batchSize: 1,
    } as const
    const nodes = await model.trace(inputs, options)
    expect(nodes[0]).toMatchObject({ node: relu.node, op: 'Relu', rule: 'gradient' })
    expect(nodes[0]!.relative).toBeGreaterThan(1e-3)
    expect(nodes[1]!.relative).toBeLessThan(1e-5)
    const records = Array.from({ length: EXAMPLES }, (_, row) => ({
      codes: codes.subarray(row * LENGTH, (row + 1) * LENGTH),
    }))
    const streamed = await model.trace(records, { ...options, batchSize: 2 })
    expect(streamed[0]!.node).toBe(relu.node)
    expect(streamed[0]!.residual).toBeCloseTo(nodes[0]!.residual, 5)
  })
})
