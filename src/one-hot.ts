/** Between one-hot values and base codes, and the check that values are numbers: one example at a time. */

import { DeepLiftError } from './errors.js'
import { UNKNOWN_BASE } from './genomics/letters.js'
import type { FloatArray } from './native.js'
import { type Layout, LETTERS } from './options/layout.js'

/** Index of the first NaN or infinity, or -1. */
export function firstNotFinite(values: FloatArray): number {
  // The sum of finite values can overflow, so a suspicious sum only asks for the slow look.
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]!
  return Number.isFinite(sum) ? -1 : values.findIndex((value) => !Number.isFinite(value))
}

/** Position of the first base code above 4, or -1. */
export function firstNotCode(codes: Uint8Array): number {
  for (let i = 0; i < codes.length; i++) if (codes[i]! > UNKNOWN_BASE) return i
  return -1
}

/** Writes the code of each position of one example of one-hot values; all zeros is the unknown base. */
export function codesFromOneHot(values: FloatArray, layout: Layout, codes: Uint8Array, where: string): void {
  const { letterStride: stride } = layout
  for (let position = 0; position < codes.length; position++) {
    const first = positionOffset(position, stride)
    let code = UNKNOWN_BASE
    let ones = 0
    let others = 0
    for (let letter = 0; letter < LETTERS; letter++) {
      const value = values[first + letter * stride]!
      if (value === 1) {
        code = letter
        ones++
      } else if (value !== 0) others++
    }
    if (ones > 1 || others > 0) {
      const found = Array.from({ length: LETTERS }, (_, letter) => values[first + letter * stride])
      throw new DeepLiftError(
        'INVALID_INPUT',
        `${where}, position ${position}: dinucleotide shuffles need one-hot values (one 1 and three 0, or four 0 for ` +
          `an unknown base); found [${found.join(', ')}].`,
        { details: { position, found } },
      )
    }
    codes[position] = code
  }
}

/** Writes the one-hot values of one example over zeros. */
export function oneHotFromCodes(codes: Uint8Array, layout: Layout, values: FloatArray): void {
  const { letterStride: stride } = layout
  for (let position = 0; position < codes.length; position++) {
    const code = codes[position]!
    if (code < LETTERS) values[positionOffset(position, stride) + code * stride] = 1
  }
}

/** Where the A of a position lies: positions run over all axes but that of the letters, in order. */
function positionOffset(position: number, stride: number): number {
  const block = Math.floor(position / stride)
  return block * stride * LETTERS + (position - block * stride)
}
