// Summaries and laws of cost.
import { describe, expect, test } from 'vitest'
import { affineFit, exponent } from '../scaling/fit.mjs'
import { divide, median, spread } from '../statistics.mjs'

describe('summaries', () => {
  test('the median is the middle, or the mean of the two in the middle', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(spread([4, 1, 3])).toEqual({ median: 3, min: 1, max: 4 })
  })

  test('ratios are taken within rounds', () => {
    expect(divide([2, 9], [1, 3])).toEqual([2, 3])
  })
})

describe('laws', () => {
  test('a line is found again, with what is off it', () => {
    const line = [1, 2, 5, 40].map((x) => ({ x, y: 2 + 5 * x }))
    const { slope, intercept, residual } = affineFit(line)
    expect([slope, intercept]).toEqual([expect.closeTo(5, 9), expect.closeTo(2, 9)])
    expect(residual).toBeLessThan(1e-12)
    const bent = affineFit(line.map((point) => (point.x === 5 ? { ...point, y: 1.2 * point.y } : point)))
    expect(bent.residual).toBeGreaterThan(0.08)
  })

  test('a power is found again', () => {
    expect(exponent([1, 3, 10].map((x) => ({ x, y: 7 * x ** 1.5 })))).toBeCloseTo(1.5, 9)
  })
})
