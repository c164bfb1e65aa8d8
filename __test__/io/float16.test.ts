import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { float16ToFloat32, float32ToFloat16 } from '../../src/io/float16.js'

const ALL_HALVES = Uint16Array.from({ length: 65_536 }, (_, bits) => bits)

/** From the definition: sign, 5 bits of exponent, 10 of fraction. */
function halfValue(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >> 10) & 31
  const fraction = half & 0x3ff
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

describe('half precision', () => {
  it('widens every half exactly', () => {
    expect(float16ToFloat32(ALL_HALVES)).toEqual(Float32Array.from(ALL_HALVES, halfValue))
  })

  it('narrows every half back to itself, and any NaN to a NaN', () => {
    const back = float32ToFloat16(float16ToFloat32(ALL_HALVES))
    for (const half of ALL_HALVES)
      if (Number.isNaN(halfValue(half))) expect(halfValue(back[half]!)).toBeNaN()
      else expect(back[half]).toBe(half)
  })

  it('rounds to the nearest half, ties to even', () => {
    // Expectations are slow next to arithmetic, hence one per property and not one per value.
    const isNearest = (value: number) => {
      const half = float32ToFloat16(Float32Array.of(value))[0]!
      const magnitude = half & 0x7fff
      const error = Math.abs(value - halfValue(half))
      return [magnitude - 1, magnitude + 1]
        .filter((other) => other >= 0 && other <= 0x7bff)
        .map((other) => Math.abs(Math.abs(value) - halfValue(other)))
        .every((other) => error < other || (error === other && half % 2 === 0))
    }
    fc.assert(fc.property(fc.float({ noNaN: true, min: -65_519, max: 65_519 }), isNearest))
    // Random floats hardly ever lie half way.
    const halfWay = Array.from({ length: 0x7bff }, (_, half) => (halfValue(half) + halfValue(half + 1)) / 2)
    expect(halfWay.filter((value) => !isNearest(value))).toEqual([])
  })

  it('overflows half a step beyond the largest half', () => {
    const narrow = (value: number) => halfValue(float32ToFloat16(Float32Array.of(value))[0]!)
    expect(narrow(65_519.996)).toBe(65_504)
    expect(narrow(65_520)).toBe(Number.POSITIVE_INFINITY)
    expect(narrow(-1e30)).toBe(Number.NEGATIVE_INFINITY)
    expect(narrow(Number.NEGATIVE_INFINITY)).toBe(Number.NEGATIVE_INFINITY)
  })
})
