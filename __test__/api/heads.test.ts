import { beforeAll, describe, expect, test } from 'vitest'
import { DeepLift, type ProfileWeights, type Scores, type Target } from '../../src/index.js'
import { expectError } from '../support/errors.js'
import { profileModel, randomCodes, randomFloats } from '../support/models.js'
import { largestDifference, sum } from '../support/numbers.js'

const LENGTH = 24
const POSITIONS = LENGTH - 8
const EXAMPLES = 2
const inputs = {
  sequence: { data: randomCodes(EXAMPLES * LENGTH, 1), shape: [EXAMPLES, LENGTH] },
  control: { data: randomFloats(EXAMPLES * 2 * POSITIONS, 2), shape: [EXAMPLES, 2, POSITIONS] },
}
const references = { sequence: 'background', control: 'self' } as const

let model: DeepLift
let logits: { x: number[]; x0: number[] }[]
beforeAll(async () => {
  model = await DeepLift.load(profileModel(LENGTH), { threads: 2 })
  const target = Array.from({ length: 2 * POSITIONS }, (_, index) => ({ output: 'profile', index }))
  const { output, referenceOutput } = await score(target)
  logits = [0, 1].map((example) => {
    const row = ({ data }: { data: Float64Array }) => [
      ...data.subarray(example * 2 * POSITIONS, (example + 1) * 2 * POSITIONS),
    ]
    return { x: row(output), x0: row(referenceOutput) }
  })
})

async function score(target: Target): Promise<Scores> {
  return await model.score(inputs, { references, target, precision: 'float64' })
}

function centred(l: readonly number[]): number[] {
  const mean = sum(l) / l.length
  return l.map((value) => value - mean)
}

function softmax(l: readonly number[]): number[] {
  const powers = l.map(Math.exp)
  return powers.map((value) => value / sum(powers))
}

const dot = (a: readonly number[], b: readonly number[]) => sum(a.map((value, index) => value * b[index]!))

describe('profile', () => {
  const weights: [ProfileWeights, (p: number, p0: number) => number][] = [
    ['mean', (p, p0) => (p + p0) / 2],
    ['input', (p) => p],
    ['reference', (_, p0) => p0],
  ]
  test.each(weights)('under constant weights sums to Σ w Δl: %s', async (name, weight) => {
    const { delta, output, worstCompleteness } = await score({ head: 'profile', weights: name })
    for (const [example, { x, x0 }] of logits.entries()) {
      const [p, p0] = [softmax(x), softmax(x0)]
      const w = p.map((value, index) => weight(value, p0[index]!))
      const [l, l0] = [centred(x), centred(x0)]
      const change = l.map((value, index) => value - l0[index]!)
      expect(delta.data[example]).toBeCloseTo(dot(w, change), 10)
      expect(output.data[example]).toBeCloseTo(dot(p, l), 10)
    }
    expect(worstCompleteness).toBeLessThan(1e-12)
  })

  test.each(['full', 'bpnet-lite'] as const)('as a function sums to Δ Σ p l: %s', async (name) => {
    const { delta, output, referenceOutput, worstCompleteness } = await score({
      head: 'profile',
      weights: name,
    })
    for (const [example, { x, x0 }] of logits.entries()) {
      const value = (l: readonly number[]) => dot(softmax(l), centred(l))
      expect(delta.data[example]).toBeCloseTo(value(x) - value(x0), 10)
      expect(delta.data[example]).toBeCloseTo(output.data[example]! - referenceOutput.data[example]!, 10)
    }
    expect(worstCompleteness).toBeLessThan(1e-12)
  })

  test('has weights of the mean by default, and these are the mean of the other two', async () => {
    const [mean, input, reference, unsaid] = await Promise.all(
      [
        { weights: 'mean' } as const,
        { weights: 'input' } as const,
        { weights: 'reference' } as const,
        {},
      ].map(async (each) => (await score({ head: 'profile', ...each })).contributions.sequence!.data),
    )
    expect(unsaid).toEqual(mean)
    expect(
      largestDifference(
        mean!,
        input!.map((value, index) => (value + reference![index]!) / 2),
      ),
    ).toBeLessThan(1e-12)
  })
})

test('counts are the sum of the values of their output', async () => {
  const counts = await score({ head: 'counts' })
  expect(counts).toEqual(await score({ output: 'counts', index: 0 }))
  const profile = await score({ head: 'counts', output: 'profile' })
  for (const [example, { x }] of logits.entries())
    expect(profile.output.data[example]).toBeCloseTo(sum(x), 10)
})

test('both heads in one call are those of a call each', async () => {
  const both = await score([{ head: 'profile' }, { head: 'counts' }])
  const size = 4 * LENGTH
  for (const [slot, head] of (['profile', 'counts'] as const).entries()) {
    const alone = await score({ head })
    for (let example = 0; example < EXAMPLES; example++) {
      const of = (scores: Scores, row: number) =>
        scores.contributions.sequence!.data.subarray(row * size, (row + 1) * size)
      expect(largestDifference(of(both, 2 * example + slot), of(alone, example))).toBeLessThan(1e-13)
      expect(both.delta.data[2 * example + slot]).toBeCloseTo(alone.delta.data[example]!, 12)
    }
  }
})

test('heads are found where the file leaves shapes open', async () => {
  const open = await DeepLift.load(profileModel(LENGTH, { open: true }))
  const target = [{ head: 'profile' }, { head: 'counts' }] as const
  expect(await open.score(inputs, { references, target })).toEqual(
    await model.score(inputs, { references, target }),
  )
  const shapes = { sequence: [4, LENGTH], control: [2, POSITIONS] }
  const { targets } = await open.describe({ target, shapes })
  expect(targets.map(({ tensor }) => tensor)).toEqual(['profile', 'counts'])
  await expectError(
    () => open.score(inputs, { references, target: { output: 'profile', index: [0, POSITIONS] } }),
    'INVALID_OPTION',
    'profile',
    String(POSITIONS),
  )
})

describe('sums and contrasts', () => {
  const at = (x: readonly number[], strand: number, position: number) => x[strand * POSITIONS + position]!
  const cases: [string, Target, (x: readonly number[]) => number][] = [
    ['over both axes', { output: 'profile', index: [null, null] }, sum],
    ['over a strand', { output: 'profile', index: [1, null] }, (x) => sum(x.slice(POSITIONS))],
    [
      'over a range',
      { output: 'profile', index: [null, [3, 5]] },
      (x) => at(x, 0, 3) + at(x, 0, 4) + at(x, 1, 3) + at(x, 1, 4),
    ],
    [
      'of two strands',
      { output: 'profile', index: [0, null], minus: [1, null] },
      (x) => sum(x.slice(0, POSITIONS)) - sum(x.slice(POSITIONS)),
    ],
    [
      'with the mean',
      { output: 'profile', index: [1, 2], centred: true },
      (x) => at(x, 1, 2) - sum(x) / x.length,
    ],
  ]
  test.each(cases)('%s', async (_, target, value) => {
    const { output, delta, worstCompleteness } = await score(target)
    for (const [example, { x, x0 }] of logits.entries()) {
      expect(output.data[example]).toBeCloseTo(value(x), 10)
      expect(delta.data[example]).toBeCloseTo(value(x) - value(x0), 10)
    }
    expect(worstCompleteness).toBeLessThan(1e-12)
  })
})
