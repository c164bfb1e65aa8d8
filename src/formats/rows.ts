/** Scores of sequences on their way between files: what every format of the field is made of. */

import type { Region } from '../genomics/region.js'

export const LETTERS = 4

/** Where a window lies; `summit` is the position that it is centred on. */
export type Site = Pick<Region, 'chrom' | 'start' | 'end' | 'summit'>

/** How scores are written, whatever the format. */
export interface FileOptions {
  /** JSON text on how the scores were made. */
  provenance: string
  /** Scores in half precision: 11 bits, nothing above 65504, steps of 6e-8 near 0. */
  float16?: boolean
  /** Deflate, losslessly. */
  compress?: boolean
}

/** `n` consecutive sequences. */
export interface SequenceRows {
  /** Positions of each. */
  length: number
  /** `[n, 4, length]` of zeros and ones, only zeros where the base is unknown. */
  oneHot: Int8Array
  /** `[n, 4, length]`; undefined where only {@link projected} is known. */
  hypothetical: Float32Array | undefined
  /** `[n, length]`: the contribution of each position, 0 where the base is unknown. */
  projected: Float32Array
  /** `[n]`; undefined where sequences have no place on a genome. */
  sites: readonly Site[] | undefined
}

/** Where rows go: files that appear under their names only when all rows are in them. */
export interface RowsWriter {
  /** The files that `finish` leaves. */
  readonly paths: readonly string[]
  /** What of the rows it takes. */
  readonly needs: { hypothetical: boolean; sites: boolean }
  write(rows: SequenceRows): Promise<void>
  finish(): Promise<void>
  /** Removes everything written so far. Safe to call at any time. */
  abort(): Promise<void>
}

export type LetterAxis = 'first' | 'last'

/**
 * Where the letters are in `[n, …one sequence]`; undefined where these are not sequences of four letters. Axes of
 * extent 1, of two-dimensional exports, do not count.
 */
export function letterAxis(shape: readonly number[]): { axis: LetterAxis; length: number } | undefined {
  const axes = shape.slice(1).filter((extent) => extent !== 1)
  if (axes.length !== 2 || !axes.includes(LETTERS)) return undefined
  return axes[0] === LETTERS ? { axis: 'first', length: axes[1]! } : { axis: 'last', length: axes[0]! }
}

/** `[n, 4, length]` from values of either order. */
export function inOrder(values: ArrayLike<number>, axis: LetterAxis, length: number): Float32Array {
  const floats = values instanceof Float32Array ? values : Float32Array.from(values)
  return axis === 'first' ? floats : lettersFirst(floats, length)
}

/** `[n, length, 4]` from `[n, 4, length]`. */
export function lettersLast<A extends Float32Array | Int8Array>(values: A, length: number): A {
  const out = values.slice() as A
  const size = LETTERS * length
  for (let start = 0; start < out.length; start += size)
    for (let position = 0; position < length; position++)
      for (let letter = 0; letter < LETTERS; letter++)
        out[start + position * LETTERS + letter] = values[start + letter * length + position]!
  return out
}

/** `[n, 4, length]` from `[n, length, 4]`. */
export function lettersFirst<A extends Float32Array | Int8Array>(values: A, length: number): A {
  const out = values.slice() as A
  const size = LETTERS * length
  for (let start = 0; start < out.length; start += size)
    for (let position = 0; position < length; position++)
      for (let letter = 0; letter < LETTERS; letter++)
        out[start + letter * length + position] = values[start + position * LETTERS + letter]!
  return out
}

/** `[n, 4, length]`: each score at the letter that is there, zeros elsewhere. */
export function atLetters(oneHot: Int8Array, scores: Float32Array): Float32Array {
  // A mask of all bits or none: which letter is there cannot be predicted, and a branch costs twice as much.
  const bits = new Int32Array(scores.buffer, scores.byteOffset, scores.length)
  const out = new Int32Array(oneHot.length)
  for (let index = 0; index < out.length; index++) out[index] = bits[index]! & -oneHot[index]!
  return new Float32Array(out.buffer)
}

/** `[n, length]` from scores `[n, 4, length]`: that of the letter that is there, 0 at unknown bases. */
export function project(oneHot: Int8Array, scores: Float32Array, length: number): Float32Array {
  const out = new Float32Array(oneHot.length / LETTERS)
  const size = LETTERS * length
  for (let start = 0, row = 0; start < oneHot.length; start += size, row += length)
    for (let letter = 0; letter < LETTERS; letter++)
      for (let position = 0, from = start + letter * length; position < length; position++, from++)
        if (oneHot[from] !== 0) out[row + position] = scores[from]!
  return out
}

/** `[n, length]` from contributions: their sum over letters is that of the letter that is there. */
export function sumOverLetters(oneHot: Int8Array, contributions: Float32Array, length: number): Float32Array {
  const out = new Float32Array(oneHot.length / LETTERS)
  const size = LETTERS * length
  for (let start = 0, row = 0; start < oneHot.length; start += size, row += length)
    for (let position = 0; position < length; position++) {
      let sum = 0
      let known = 0
      for (let at = start + position; at < start + size; at += length) {
        sum += contributions[at]!
        known |= oneHot[at]!
      }
      if (known !== 0) out[row + position] = sum
    }
  return out
}

/** `[n, 4, length]` from base codes `[n, length]`. */
export function oneHotOfCodes(codes: ArrayLike<number>, length: number): Int8Array {
  const out = new Int8Array(LETTERS * codes.length)
  for (let index = 0; index < codes.length; index++) {
    const position = index % length
    const code = codes[index]!
    if (code < LETTERS) out[LETTERS * (index - position) + code * length + position] = 1
  }
  return out
}

/** Rows that are read together: about 8 MiB of scores. */
export function rowsAtOnce(length: number): number {
  return Math.max(1, Math.floor((1 << 21) / (LETTERS * length)))
}
