import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { withPrefix } from '../../src/cli/console.js'
import { duration } from '../../src/cli/progress-line.js'
import { codesFromOneHot, oneHotFromCodes } from '../../src/one-hot.js'
import { didYouMean } from '../../src/options/check.js'
import { layoutOf } from '../../src/options/layout.js'
import { parseMemory } from '../../src/options/memory.js'
import { resolveTargets } from '../../src/options/target.js'

test('memory is a number of bytes or text with a unit', () => {
  expect(parseMemory(2e9)).toBe(2e9)
  expect(parseMemory('2GB')).toBe(2e9)
  expect(parseMemory('512 MiB')).toBe(512 * 2 ** 20)
  expect(parseMemory('1.5gb')).toBe(1.5e9)
  for (const wrong of ['2XB', '', '-1GB', 'GB', Number.NaN, Number.POSITIVE_INFINITY, undefined, 1e5])
    expect(() => parseMemory(wrong)).toThrow(/memory/)
})

test('the closest name is suggested, or none', () => {
  expect(didYouMean('targte', ['target', 'rule'])).toContain('"target"')
  expect(didYouMean('Rule', ['target', 'rule'])).toContain('"rule"')
  expect(didYouMean('colour', ['target', 'rule'])).toBe('')
})

describe('targets', () => {
  const profile = { name: 'profile', dtype: 'float32', shape: ['batch', 2, 1000] }
  const counts = { name: 'counts', dtype: 'float32', shape: ['batch', 1] }
  const open = { name: 'open', dtype: 'float32', shape: ['batch', null] }
  const unknown = { name: 'unknown', dtype: 'float32', shape: null }

  test('default to the only value of the only output', () => {
    expect(resolveTargets(undefined, [counts])).toEqual({
      targets: [{ tensor: 'counts', index: 0 }],
      several: false,
    })
    expect(resolveTargets({ output: 'counts' }, [profile, counts]).targets).toEqual([
      { tensor: 'counts', index: 0 },
    ])
    expect(() => resolveTargets(undefined, [profile, counts])).toThrow(
      /several outputs.*"profile" \[batch, 2, 1000\]/,
    )
    expect(() => resolveTargets(undefined, [open])).toThrow(/say which one/)
    expect(() => resolveTargets(undefined, [unknown])).toThrow(/say which one/)
  })

  test('with one index per axis are flattened in row-major order', () => {
    expect(resolveTargets({ index: [1, 57] }, [profile]).targets).toEqual([
      { tensor: 'profile', index: 1057 },
    ])
    expect(() => resolveTargets({ index: [2, 0] }, [profile])).toThrow(/beyond/)
    expect(resolveTargets({ index: [57] }, [open]).targets).toEqual([{ tensor: 'open', index: 57 }])
    expect(() => resolveTargets({ index: [0, 3] }, [unknown])).toThrow(/as one number/)
  })
})

test('contrasts of values become weights', () => {
  const logits = { name: 'logits', dtype: 'float32', shape: ['batch', 4] }
  const weights = (target: object) => resolveTargets(target, [logits]).targets[0]!.seed
  expect(weights({ index: 3, minus: 1 })).toEqual([0, -1, 0, 1])
  expect(weights({ index: 0, centred: true })).toEqual([0.75, -0.25, -0.25, -0.25])
  expect(() => weights({ index: 0, minus: 1, centred: true })).toThrow(/not both/)
  expect(() => weights({ minus: 1 })).toThrow(/go with index/)
  expect(() => weights({ index: 0, minus: 4 })).toThrow(/beyond/)
  const open = { name: 'open', dtype: 'float32', shape: ['batch', null] }
  expect(() => resolveTargets({ index: 0, centred: true }, [open])).toThrow(/seed/)
})

test('the axis of letters is the only one of extent 4, else the first, else the last', () => {
  expect(layoutOf('x', [4, 600]).channelAxis).toBe(0)
  expect(layoutOf('x', [600, 4]).channelAxis).toBe(1)
  expect(layoutOf('x', [1, 4, 600]).channelAxis).toBe(1)
  expect(layoutOf('x', [4, 4]).channelAxis).toBe(0)
  expect(layoutOf('x', [2, 4, 4]).channelAxis).toBe(2)
  expect(layoutOf('x', [4, 4], 1).channelAxis).toBe(1)
  expect(layoutOf('x', [10, 5]).channelAxis).toBeUndefined()
})

test('codes become one-hot values and back, on any axis', () => {
  const shapes = fc.constantFrom([4, 6], [6, 4], [1, 4, 6], [4, 1, 6], [2, 4, 3], [3, 2, 4])
  const codes = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 6, maxLength: 6 })
  fc.assert(
    fc.property(shapes, codes, (shape, list) => {
      const layout = layoutOf('x', shape, shape.indexOf(4))
      const values = new Float32Array(24)
      oneHotFromCodes(Uint8Array.from(list), layout, values)
      expect(values.reduce((sum, value) => sum + value, 0)).toBe(list.filter((code) => code < 4).length)
      const back = new Uint8Array(6)
      codesFromOneHot(values, layout, back, 'x')
      expect([...back]).toEqual(list)
    }),
  )
})

test('one-hot values of [2, 4, 3] keep positions in the order of the other axes', () => {
  const values = new Float32Array(24)
  oneHotFromCodes(Uint8Array.of(0, 1, 2, 3, 4, 0), layoutOf('x', [2, 4, 3], 1), values)
  const ones = [...values.keys()].filter((index) => values[index] === 1)
  // Position 1 is row 0, column 1; its letter C is channel 1: 0 · 12 + 1 · 3 + 1.
  expect(ones).toEqual([0, 4, 8, 14, 21].sort((a, b) => a - b))
})

test('numbers for people', () => {
  expect(withPrefix(32503, '')).toBe('32.5 k')
  expect(withPrefix(10_740_000, 'FLOP')).toBe('10.7 MFLOP')
  expect(withPrefix(0, 'FLOP')).toBe('0 FLOP')
  expect(withPrefix(300, 'B')).toBe('300 B')
  expect([12, 200, 3900].map(duration)).toEqual(['12 s', '3 min 20 s', '1 h 05 min'])
})
