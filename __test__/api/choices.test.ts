import { describe, expect, test } from 'vitest'
import { parseRule } from '../../src/cli/arguments.js'
import type { PlanChoices } from '../../src/index.js'
import { resolveRule } from '../../src/options/rule.js'
import { resolveChoices } from '../../src/options/score-options.js'
import { VARIANTS } from '../../src/options/variants.js'

const outputs = [{ name: 'y', dtype: 'float32', shape: ['batch', 2, 10] }]
const resolve = (choices: PlanChoices) =>
  resolveChoices({ references: 'zeros', target: { index: [0, 1] }, ...choices }, outputs)

describe('rules', () => {
  test('are rescale, a name, or a name with settings', () => {
    expect(resolveRule(undefined)).toEqual({ rule: 'rescale', steps: undefined, overrides: [] })
    expect(resolveRule('deconvnet')).toEqual(resolveRule({ default: 'deconvnet' }))
    expect(resolveRule('integrated-gradients').steps).toBe(50)
    expect(resolveRule({ default: 'integrated-gradients', steps: 10 }).steps).toBe(10)
    expect(resolveRule({ overrides: { 'a*': 'gradient' } }).overrides).toEqual([
      { node: 'a*', rule: 'gradient' },
    ])
  })

  test('that do not fit together are refused', () => {
    expect(() => resolveRule({ steps: 10 })).toThrow(/steps belong to 'integrated-gradients'.*'rescale'/)
    expect(() => resolveRule({ default: 'integrated-gradients', steps: 0 })).toThrow(/at least 1/)
    expect(() => resolveRule({ default: 'integrated-gradients', overrides: { a: 'rescale' } })).toThrow(
      /no overrides/,
    )
    expect(() => resolveRule({ overrides: { a: 'integrated-gradients' as never } })).toThrow(
      /overrides\["a"\]/,
    )
    expect(() => resolveRule(null as never)).toThrow(/rule/)
    expect(() => resolveRule('guided-backprob' as never)).toThrow(/Did you mean "guided-backprop"/)
  })

  test('as written on the command line', () => {
    expect(parseRule(undefined, [])).toBeUndefined()
    expect(parseRule('integrated-gradients:20', [])).toEqual({ default: 'integrated-gradients', steps: 20 })
    expect(parseRule(undefined, ['a=b=gradient'])).toEqual({ overrides: { 'a=b': 'gradient' } })
    expect(() => parseRule('integrated-gradients:x', [])).toThrow(/whole number/)
    expect(() => parseRule('rescale', ['node'])).toThrow(/NODE=RULE/)
  })

  test('times the input need references only if they look at them', () => {
    const times = (rule: PlanChoices['rule']) =>
      resolveChoices({ target: 0, rule, multiplyBy: 'input' }, outputs)
    for (const rule of ['gradient', 'guided-backprop', 'deconvnet'] as const)
      expect(times(rule).references).toBe('zeros')
    expect(times('guided-backprop-rescale').references).toBeUndefined()
    for (const rule of ['rescale', 'reveal-cancel', 'integrated-gradients'] as const)
      expect(() => times(rule)).toThrow(/multiplyBy: 'input' goes with rule: 'gradient'/)
  })
})

describe('variants', () => {
  test('are passed on as they are given', () => {
    expect(resolve({}).variants).toEqual({})
    const variants = {
      maxPool: 'argmax',
      softmax: 'elementwise',
      nearZero: 'deeplift',
      binaryMax: 'cross',
    } as const
    expect(resolve({ variants }).variants).toEqual(variants)
    expect(resolve({ variants: { maxPool: undefined } as object }).variants).toEqual({})
  })

  test('that are none are refused with those that exist', () => {
    for (const [name, values] of Object.entries(VARIANTS))
      expect(() => resolve({ variants: { [name]: 'other' } })).toThrow(
        `variants: ${name}: expected '${values[0]}' or`,
      )
    expect(() => resolve({ variants: { maxpool: 'path' } as object })).toThrow(/Did you mean "maxPool"/)
  })
})

describe('layers', () => {
  test('are one name or several', () => {
    expect(resolve({}).layers).toEqual([])
    expect(resolve({ layers: 'h' }).layers).toEqual(['h'])
    expect(resolve({ layers: ['h', 'g'] }).layers).toEqual(['h', 'g'])
    expect(() => resolve({ layers: ['h', 'h'] })).toThrow(/"h" is named twice/)
    expect(() => resolve({ layers: [3] as never })).toThrow(/names of tensors.*3/)
    expect(() => resolve({ layers: '' })).toThrow(/names of tensors/)
  })

  test('have no hypothetical contributions', () => {
    expect(() => resolve({ layers: 'h', outputs: ['hypothetical'] })).toThrow(
      /layers inside the model have none/,
    )
  })
})

describe('the reverse complement', () => {
  const target = [{ index: [0, 1] }, { index: [1, 3] }] as const

  test('has the targets of the sequence, or those that are named', () => {
    expect(resolve({}).reverseTargets).toBeUndefined()
    expect(resolve({ reverseComplement: false }).reverseTargets).toBeUndefined()
    for (const reverseComplement of [true, {}])
      expect(resolve({ reverseComplement, target }).reverseTargets).toEqual(resolve({ target }).targets)
    const reverse = [{ index: [1, 8] }, { index: [0, 6] }]
    expect(resolve({ target, reverseComplement: { target: reverse } }).reverseTargets).toEqual([
      { tensor: 'y', index: 18 },
      { tensor: 'y', index: 6 },
    ])
  })

  test('has a target for each', () => {
    expect(() => resolve({ target, reverseComplement: { target: 0 } })).toThrow(/expected 2.*found 1/)
    expect(() => resolve({ reverseComplement: { target: 20 } })).toThrow(
      /reverseComplement: target: index 20/,
    )
    expect(() => resolve({ reverseComplement: 'yes' as never })).toThrow(/reverseComplement/)
  })
})

test('switches are true or false', () => {
  expect(resolve({})).toMatchObject({ peel: true, meanNormalised: false })
  expect(resolve({ peel: false, meanNormalised: true })).toMatchObject({ peel: false, meanNormalised: true })
  expect(() => resolve({ peel: 'no' as never })).toThrow(/peel: expected true or false/)
  expect(() => resolve({ meanNormalised: 1 as never })).toThrow(/meanNormalised: expected true or false/)
})
