import fc from 'fast-check'
import { expect, test } from 'vitest'
import { withPrefix } from '../../src/cli/console.js'
import { duration } from '../../src/cli/progress-line.js'
import { codesFromOneHot, oneHotFromCodes } from '../../src/one-hot.js'
import { didYouMean } from '../../src/options/check.js'
import { layoutOf } from '../../src/options/layout.js'
import { parseMemory } from '../../src/options/memory.js'

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
