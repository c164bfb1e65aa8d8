/** Comparisons of arrays of numbers. */

import { expect } from 'vitest'

export function largest(values: ArrayLike<number>): number {
  return Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0)
}

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length)
  return largest(Array.from(a, (value, index) => value - b[index]!))
}

export function sum(values: ArrayLike<number>): number {
  return Array.from(values).reduce((total, value) => total + value, 0)
}

/** Sums of consecutive stretches of `size`. */
export function sums(values: ArrayLike<number>, size: number): number[] {
  return Array.from({ length: values.length / size }, (_, row) =>
    sum(Array.from({ length: size }, (_, index) => values[row * size + index]!)),
  )
}
