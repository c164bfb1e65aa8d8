import { beforeAll, describe, expect, test } from 'vitest'
import { DeepLift, type SingleTarget } from '../../src/index.js'
import type { NativeTarget } from '../../src/native.js'
import { resolveTargets } from '../../src/options/target.js'
import { fitTarget, targetValue } from '../../src/options/target-value.js'
import { expectError } from '../support/errors.js'
import { profileModel, randomCodes, randomFloats } from '../support/models.js'

const LENGTH = 24
const POSITIONS = LENGTH - 8
const inputs = {
  sequence: { data: randomCodes(LENGTH, 1), shape: [1, LENGTH] },
  control: { data: randomFloats(2 * POSITIONS, 2), shape: [1, 2, POSITIONS] },
}

let model: DeepLift
beforeAll(async () => {
  model = await DeepLift.load(profileModel(LENGTH), { threads: 1 })
})

const resolved = (target: SingleTarget) => resolveTargets(target, model.outputs).targets[0] as NativeTarget

/** What a forward pass says. */
async function value(target: SingleTarget): Promise<number> {
  const native = resolved(target)
  const { data, shape } = (await model.predict(inputs, { outputs: [native.tensor], precision: 'float64' }))[
    native.tensor
  ]!
  const own = shape.slice(1)
  return targetValue(fitTarget(native, own, 'target'), data, own)
}

describe('values of targets after a forward pass are those that scores explain', () => {
  const targets: [string, SingleTarget][] = [
    ['the only value of an output', { output: 'counts' }],
    ['a number', { output: 'profile', index: 17 }],
    ['a position', { output: 'profile', index: [1, 3] }],
    ['a sum over an axis', { output: 'profile', index: [null, 5] }],
    ['a sum over a range', { output: 'profile', index: [1, [2, 9]] }],
    ['a sum over everything', { output: 'profile', index: [null, null] }],
    ['a difference', { output: 'profile', index: [0, 3], minus: [1, [2, 9]] }],
    ['a centred value', { output: 'profile', index: [0, 3], centred: true }],
    ['a weighted sum', { output: 'profile', seed: randomFloats(2 * POSITIONS, 3) }],
    ['a tensor inside the model', { output: 'a', index: [2, 0] }],
  ]
  test.each(targets)('%s', async (_, target) => {
    const options = {
      references: { sequence: 'zeros', control: 'self' },
      target,
      precision: 'float64',
    } as const
    const { output } = await model.score(inputs, options)
    expect(await value(target)).toBeCloseTo(output.data[0]!, 10)
    expect(output.data[0]).not.toBe(0)
  })
})

test('targets that do not fit a tensor whose shape is known late are refused', async () => {
  const fitted = (target: NativeTarget) => fitTarget(target, [2, POSITIONS], 'target x')
  await expectError(
    () => fitted({ tensor: 't' }),
    'INVALID_OPTION',
    /target x: "t" has the shape \[2, 16\].*which of its values/,
  )
  await expectError(() => fitted({ tensor: 't', seed: [1] }), 'INVALID_OPTION', /the seed has 1 weights/)
  await expectError(() => fitted({ tensor: 't', index: 32 }), 'INVALID_OPTION', /index 32 is beyond/)
  await expectError(() => fitted({ tensor: 't', index: [1, 2], minus: [1] }), 'INVALID_OPTION', /has 1 entry/)
})
