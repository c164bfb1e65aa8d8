import { readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { DeepLift, dinucleotideShuffle, type References, readFasta, type Scores } from '../../src/index.js'
import { expectError } from '../support/errors.js'
import {
  channelsLastModel,
  DEMO,
  DEMO_FASTA,
  DEMO_MODEL,
  loadSequenceModel,
  oneHot,
  randomCodes,
  randomFloats,
  sequenceModel,
  twoInputModel,
} from '../support/models.js'
import { largest, largestDifference, sums } from '../support/numbers.js'

const LENGTH = 40
const EXAMPLES = 7
const codes = randomCodes(EXAMPLES * LENGTH, 11)
const values = oneHot(codes, LENGTH)
const asCodes = { x: { data: codes, shape: [EXAMPLES, LENGTH] } }
const asValues = { x: { data: values, shape: [EXAMPLES, 4, LENGTH] } }
const shuffles = dinucleotideShuffle({ count: 5, seed: 3 })

let model: DeepLift
beforeAll(async () => {
  model = await loadSequenceModel(LENGTH)
})

describe('the demo model', () => {
  test('gives the logits that PyTorch gave', async () => {
    const demo = await DeepLift.load(DEMO_MODEL)
    const { logits } = JSON.parse(await readFile(`${DEMO}evaluation.json`, 'utf8')) as {
      logits: Record<string, number[]>
    }
    expect(demo.inputs).toEqual([{ name: 'sequence', dtype: 'float32', shape: ['batch', 4, 200] }])
    const target = [0, 1, 2]
    for await (const batch of demo.stream(readFasta(DEMO_FASTA), {
      target,
      references: 'zeros',
      batchSize: 8,
    })) {
      for (const [index, { name }] of batch.records.entries())
        expect(
          largestDifference(batch.output.data.subarray(3 * index, 3 * index + 3), logits[name]!),
        ).toBeLessThan(1e-4)
      break
    }
  })
})

describe('contributions', () => {
  const references: [string, References][] = [
    ['zeros', 'zeros'],
    ['background', 'background'],
    ['given frequencies', { background: [0.3, 0.2, 0.2, 0.3] }],
    ['shuffles', shuffles],
    ['shared values', { shared: { data: randomFloats(3 * 4 * LENGTH, 12), shape: [3, 4, LENGTH] } }],
    ['one shared value', { data: randomFloats(4 * LENGTH, 13), shape: [4, LENGTH] }],
    ['values per example', { data: randomFloats(EXAMPLES * 4 * LENGTH, 14), shape: [EXAMPLES, 4, LENGTH] }],
  ]
  for (const rule of ['rescale', 'reveal-cancel', 'genomics-default'] as const)
    test.each(references)(`sum to the difference of the output: ${rule}, %s`, async (_, references) => {
      const scores = await model.score(asValues, { references, rule, target: 1 })
      const difference = scores.output.data.map((value, index) => value - scores.referenceOutput.data[index]!)
      const sum = sums(scores.contributions.x!.data, 4 * LENGTH)
      expect(largestDifference(sum, difference)).toBeLessThan(1e-5 * Math.max(1, largest(scores.output.data)))
      expect(scores.worstCompleteness).toBeLessThan(1e-5)
      expect(scores.worstCompleteness).toBe(largest(scores.completeness.data))
    })

  test('sum up to rounding in float64', async () => {
    const scores = await model.score(asValues, { references: shuffles, target: 1, precision: 'float64' })
    expect(scores.contributions.x!.data).toBeInstanceOf(Float64Array)
    expect(scores.worstCompleteness).toBeLessThan(1e-12)
    const single = await model.score(asValues, { references: shuffles, target: 1 })
    expect(largestDifference(single.contributions.x!.data, scores.contributions.x!.data)).toBeLessThan(
      1e-5 * largest(scores.contributions.x!.data),
    )
  })

  test('are the same for base codes and for one-hot values, bit for bit', async () => {
    const options = { references: shuffles, target: 0 }
    expect(await model.score(asCodes, options)).toEqual(await model.score(asValues, options))
  })

  test('have the shapes that are promised', async () => {
    const outputs = ['contributions', 'hypothetical', 'multipliers', 'perReference'] as const
    const one = await model.score(asCodes, { references: shuffles, target: 2, outputs })
    expect(one.contributions.x!.shape).toEqual([EXAMPLES, 4, LENGTH])
    expect(one.hypothetical.x!.shape).toEqual([EXAMPLES, 4, LENGTH])
    expect(one.multipliers.x!.shape).toEqual([EXAMPLES, 4, LENGTH])
    expect(one.perReference.x!.shape).toEqual([EXAMPLES, 5, 4, LENGTH])
    expect(one.output.shape).toEqual([EXAMPLES])
    const two = await model.score(asCodes, { references: shuffles, target: [2, 0], outputs })
    expect(two.contributions.x!.shape).toEqual([EXAMPLES, 2, 4, LENGTH])
    expect(two.perReference.x!.shape).toEqual([EXAMPLES, 5, 2, 4, LENGTH])
    expect(two.completeness.shape).toEqual([EXAMPLES, 2])
    const { length } = two.contributions.x!.data
    expect(length).toBe(EXAMPLES * 2 * 4 * LENGTH)
    const none = await model.score(asCodes, { references: 'zeros', target: 2 })
    expect(none.hypothetical).toEqual({})
  })

  test('per reference average to the contributions; hypothetical ones hold them at the bases present', async () => {
    const outputs = ['contributions', 'hypothetical', 'perReference'] as const
    const scores = await model.score(asCodes, { references: shuffles, target: 0, outputs })
    const contributions = scores.contributions.x!.data
    const { data } = scores.perReference.x!
    const size = 4 * LENGTH
    const mean = contributions.map((_, index) => {
      const example = Math.floor(index / size)
      let sum = 0
      for (let reference = 0; reference < 5; reference++)
        sum += data[(example * 5 + reference) * size + (index % size)]!
      return sum / 5
    })
    expect(largestDifference(mean, contributions)).toBeLessThan(1e-6)
    // Summed over letters, both say what a position contributes.
    const hypothetical = scores.hypothetical.x!.data.map((value, index) => value * values[index]!)
    const perPosition = (data: ArrayLike<number>) =>
      Array.from({ length: EXAMPLES * LENGTH }, (_, index) => {
        const [example, position] = [Math.floor(index / LENGTH), index % LENGTH]
        return [0, 1, 2, 3].reduce(
          (sum, letter) => sum + data[(example * 4 + letter) * LENGTH + position]!,
          0,
        )
      })
    expect(largestDifference(perPosition(hypothetical), perPosition(contributions))).toBeLessThan(1e-5)
  })

  test('of several targets are those of each target alone', async () => {
    const options = { references: shuffles }
    const both = await model.score(asCodes, { ...options, target: [2, 0] })
    for (const [position, target] of [2, 0].entries()) {
      const alone = await model.score(asCodes, { ...options, target })
      const size = 4 * LENGTH
      const slice = alone.contributions.x!.data.map(
        (_, index) =>
          both.contributions.x!.data[(Math.floor(index / size) * 2 + position) * size + (index % size)]!,
      )
      expect(largestDifference(slice, alone.contributions.x!.data)).toBeLessThan(1e-6)
    }
  })

  test('of a seed are the weighted sum of those of its values', async () => {
    const seed = [0.5, -2, 1]
    const weighted = await model.score(asCodes, { references: 'zeros', target: { seed } })
    const each = await Promise.all(
      seed.map((_, target) => model.score(asCodes, { references: 'zeros', target })),
    )
    const sum = weighted.contributions.x!.data.map((_, index) =>
      seed.reduce((total, weight, k) => total + weight * each[k]!.contributions.x!.data[index]!, 0),
    )
    expect(largestDifference(sum, weighted.contributions.x!.data)).toBeLessThan(1e-5)
  })

  test('of gradient × input are multipliers times values', async () => {
    const scores = await model.score(asValues, {
      target: 0,
      rule: 'gradient',
      multiplyBy: 'input',
      outputs: ['contributions', 'multipliers'],
    })
    const product = scores.multipliers.x!.data.map((value, index) => value * values[index]!)
    expect(largestDifference(product, scores.contributions.x!.data)).toBeLessThan(1e-7)
  })

  test('are zero where the input is its reference', async () => {
    const scores = await model.score(asValues, { references: { perExample: asValues.x }, target: 0 })
    expect(largest(scores.contributions.x!.data)).toBe(0)
  })
})

describe('tensors inside the model', () => {
  test('are explained like outputs, at positions in the layout of the file', async () => {
    const weights = randomFloats(120, 1)
    const bias = randomFloats(6, 2)
    const [channel, position] = [4, 17]
    const index = channel * (LENGTH - 4) + position
    const scores = await model.score(asValues, { references: 'zeros', target: { output: 'c1', index } })
    for (let example = 0; example < EXAMPLES; example++) {
      let sum = bias[channel]!
      for (let letter = 0; letter < 4; letter++)
        for (let tap = 0; tap < 5; tap++)
          sum +=
            weights[(channel * 4 + letter) * 5 + tap]! *
            values[(example * 4 + letter) * LENGTH + position + tap]!
      expect(scores.output.data[example]).toBeCloseTo(sum, 5)
    }
    expect(scores.worstCompleteness).toBeLessThan(1e-5)
    await expectError(
      () => model.score(asValues, { references: 'zeros', target: { output: 'c1', index: 6 * (LENGTH - 4) } }),
      'INVALID_OPTION',
      'c1',
    )
  })
})

describe('references', () => {
  test('given per example, shared, or as codes are the same references', async () => {
    const reference = randomCodes(LENGTH, 21)
    const floats = oneHot(reference, LENGTH)
    const repeated = new Float32Array(EXAMPLES * floats.length)
    for (let example = 0; example < EXAMPLES; example++) repeated.set(floats, example * floats.length)
    const forms: References[] = [
      { data: floats, shape: [4, LENGTH] },
      { data: floats, shape: [1, 4, LENGTH] },
      { shared: { data: floats, shape: [1, 4, LENGTH] } },
      { data: reference, shape: [LENGTH] },
      { data: repeated, shape: [EXAMPLES, 4, LENGTH] },
      { data: repeated, shape: [EXAMPLES, 1, 4, LENGTH] },
      { perExample: { data: repeated, shape: [EXAMPLES, 4, LENGTH] } },
      { x: { data: floats, shape: [4, LENGTH] } },
    ]
    const calls = [asValues, asCodes].flatMap((inputs) =>
      forms.map((references) => model.score(inputs, { references, target: 0 })),
    )
    const all = await Promise.all(calls)
    for (const scores of all)
      expect(largestDifference(scores.contributions.x!.data, all[0]!.contributions.x!.data)).toBeLessThan(
        1e-6,
      )
  })

  test('as many as there are examples are shared if that is said', async () => {
    const tensor = { data: randomFloats(EXAMPLES * 4 * LENGTH, 22), shape: [EXAMPLES, 4, LENGTH] }
    const each = await model.score(asValues, { references: tensor, target: 0 })
    const shared = await model.score(asValues, { references: { shared: tensor }, target: 0 })
    const meanOf = (data: Float64Array) => data.reduce((sum, value) => sum + value, 0) / EXAMPLES
    const mean = meanOf(each.referenceOutput.data)
    for (const value of shared.referenceOutput.data) expect(value).toBeCloseTo(mean, 5)
    expect(largestDifference(each.referenceOutput.data, shared.referenceOutput.data)).toBeGreaterThan(1e-3)
  })

  test('are read anew when their values change between two calls', async () => {
    const tensor = { data: randomFloats(4 * LENGTH, 23), shape: [4, LENGTH] }
    const options = { references: { shared: tensor }, target: 0 }
    const before = await model.score(asValues, options)
    tensor.data.fill(0)
    const after = await model.score(asValues, options)
    const zeros = await model.score(asValues, { references: 'zeros', target: 0 })
    expect(largestDifference(after.referenceOutput.data, zeros.referenceOutput.data)).toBeLessThan(1e-6)
    expect(largestDifference(before.referenceOutput.data, after.referenceOutput.data)).toBeGreaterThan(1e-3)
  })

  test('hold one of two inputs fixed', async () => {
    const two = await DeepLift.load(twoInputModel())
    const inputs = {
      a: { data: randomFloats(4 * 3, 31), shape: [4, 3] },
      b: { data: randomFloats(4 * 5, 32), shape: [4, 5] },
    }
    const target = { output: 'z', index: 0 }
    const scores = await two.score(inputs, { references: { a: 'zeros', b: 'self' }, target })
    expect(largest(scores.contributions.a!.data)).toBeGreaterThan(0)
    expect(largest(scores.contributions.b?.data ?? [])).toBe(0)
    expect(scores.worstCompleteness).toBeLessThan(1e-5)
    const both = await two.score(inputs, { references: 'zeros', target })
    const sum = (input: 'a' | 'b', size: number) => sums(both.contributions[input]!.data, size)
    const total = sum('a', 3).map((value, index) => value + sum('b', 5)[index]!)
    expect(largestDifference(total, both.output.data)).toBeLessThan(1e-5)
  })
})

describe('nothing changes a number', () => {
  const options = {
    references: shuffles,
    target: [0, 2],
    rule: 'genomics-default',
    outputs: ['contributions', 'hypothetical', 'multipliers', 'perReference'],
  } as const

  async function score(other: object, threads = 2): Promise<Scores> {
    const same = threads === 2 ? model : await loadSequenceModel(LENGTH, { threads })
    return await same.score(asCodes, { ...options, ...other })
  }

  test.each([1, 2, 3, 7, 100])('batches of %i', async (batchSize) => {
    expect(await score({ batchSize })).toEqual(await score({}))
  })

  test.each([1, 3, 5])('%i threads', async (threads) => {
    expect(await score({}, threads)).toEqual(await score({}))
  })

  test('memory that holds one pair at a time', async () => {
    const small = await loadSequenceModel(LENGTH, { memory: '1MB' })
    expect(await small.score(asCodes, options)).toEqual(await score({}))
  })

  test('a job cut in two', async () => {
    const whole = await score({})
    const slice = (from: number, to: number) => ({
      x: { data: codes.subarray(from * LENGTH, to * LENGTH), shape: [to - from, LENGTH] },
    })
    const first = await model.score(slice(0, 3), options)
    const second = await model.score(slice(3, EXAMPLES), { ...options, firstExample: 3 })
    const joined = [...first.contributions.x!.data, ...second.contributions.x!.data]
    expect(joined).toEqual([...whole.contributions.x!.data])
  })

  test('many calls at once', async () => {
    const whole = await score({})
    const all = await Promise.all(Array.from({ length: 6 }, (_, index) => score({ batchSize: index + 1 })))
    for (const scores of all) expect(scores).toEqual(whole)
  })

  test('a file that fixes its batch at one', async () => {
    const fixed = await DeepLift.load(sequenceModel(LENGTH, { batch: 1 }))
    expect(await fixed.score(asCodes, options)).toEqual(await score({}))
  })

  test('letters on the last axis', async () => {
    const last = await DeepLift.load(channelsLastModel(LENGTH))
    const scores = await last.score(asCodes, options)
    expect(scores.contributions.x!.shape).toEqual([EXAMPLES, 2, LENGTH, 4])
    const whole = await score({})
    const { data } = whole.contributions.x!
    const moved = scores.contributions.x!.data.map((_, index) => {
      const [row, position, letter] = [
        Math.floor(index / (4 * LENGTH)),
        Math.floor(index / 4) % LENGTH,
        index % 4,
      ]
      return data[(row * 4 + letter) * LENGTH + position]!
    })
    expect(largestDifference(moved, scores.contributions.x!.data)).toBeLessThan(1e-6)
  })

  test('an axis of open length', async () => {
    const open = await DeepLift.load(sequenceModel(LENGTH, { open: true }))
    expect(open.inputs[0]!.shape).toEqual(['batch', 4, 'length'])
    expect(await open.score(asCodes, options)).toEqual(await score({}))
  })
})

test('results are memory that JavaScript owns: they can be transferred and outlive the model', async () => {
  const scores = await model.score(asCodes, { references: 'zeros', target: 0 })
  const { data } = scores.contributions.x!
  const before = [...data]
  const moved = structuredClone(data, { transfer: [data.buffer as ArrayBuffer] })
  expect([...moved]).toEqual(before)
  expect(data.length).toBe(0)
})
