/** Writes .npy files, whole or in pieces along the first axis. */

import { DeepLiftError } from '../errors.js'
import { OutputFile, type RowsFile } from './files.js'
import { float32ToFloat16 } from './float16.js'
import { elementCount, formatHeader, itemSizeOf, type NpyDtype } from './npy-header.js'
import type { NpyArray } from './npy-read.js'

/** A type whose elements have a size of their own, so that rows can be written before all are known. */
export type NpyRowDtype = Exclude<NpyDtype, 'string'>

/** Values of a {@link NpyRowDtype}: float16 is given as float32 and rounded; bool as 0 or 1. */
export type NpyChunk = Float32Array | Float64Array | Int8Array | Int32Array | BigInt64Array | Uint8Array

const CHUNK_TYPES = {
  float16: Float32Array,
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const

/**
 * A .npy file that grows by rows. It has its name only after `finish`; call `abort` if anything fails before.
 *
 * ```ts
 * const writer = await NpyWriter.create('scores.npy', 'float32', [4, 600])
 * try {
 *   for await (const batch of batches) await writer.write(batch) // rows × 4 × 600 values
 *   await writer.finish()
 * } catch (error) {
 *   await writer.abort()
 *   throw error
 * }
 * ```
 */
export class NpyWriter {
  #rows = 0
  readonly #rowElements: number

  private constructor(
    private readonly file: RowsFile,
    private readonly dtype: NpyRowDtype,
    private readonly rowShape: readonly number[],
    private readonly expectedRows: number | undefined,
  ) {
    this.#rowElements = elementCount(rowShape)
  }

  /** @param rows If given, `finish` refuses a file with any other number of rows. */
  static async create(
    path: string,
    dtype: NpyRowDtype,
    rowShape: readonly number[],
    rows?: number,
  ): Promise<NpyWriter> {
    return await NpyWriter.over(await OutputFile.create(path), dtype, rowShape, rows)
  }

  /** Writes to a file that is there already, and discards it if that fails. */
  static async over(
    file: RowsFile,
    dtype: NpyRowDtype,
    rowShape: readonly number[],
    rows?: number,
  ): Promise<NpyWriter> {
    const writer = new NpyWriter(file, dtype, rowShape, rows)
    try {
      if (!(dtype in CHUNK_TYPES))
        throw new DeepLiftError(
          'INVALID_OPTION',
          `Rows of type ${JSON.stringify(dtype)} cannot be written to ${file.path}.`,
        )
      if (!rowShape.every((size) => Number.isSafeInteger(size) && size > 0))
        throw new DeepLiftError(
          'INVALID_OPTION',
          `A row of ${file.path} cannot have the shape (${rowShape}).`,
        )
      await file.append(writer.#header())
    } catch (error) {
      await writer.abort()
      throw error
    }
    return writer
  }

  get rows(): number {
    return this.#rows
  }

  #header(): Buffer {
    const { dtype, rowShape } = this
    return formatHeader({
      dtype,
      itemSize: itemSizeOf(dtype),
      fortranOrder: false,
      shape: [this.#rows, ...rowShape],
    })
  }

  /** Appends whole rows. `chunk` may be reused once the promise resolves. */
  async write(chunk: NpyChunk): Promise<void> {
    const rows = chunk.length / this.#rowElements
    if (!Number.isInteger(rows))
      throw new DeepLiftError(
        'INVALID_INPUT',
        `${this.file.path} takes rows of shape (${this.rowShape}); ${chunk.length} values are not whole rows.`,
      )
    await this.file.append(encodeNumbers(chunk, this.dtype, this.file.path))
    this.#rows += rows
  }

  /** Completes the file and gives it its name. */
  async finish(): Promise<void> {
    await this.complete()
    await this.file.commit()
  }

  /** Completes the rows, for a caller that takes the file from there. */
  async complete(): Promise<void> {
    if (this.expectedRows !== undefined && this.#rows !== this.expectedRows)
      throw new DeepLiftError(
        'INTERNAL',
        `${this.file.path} should have ${this.expectedRows} rows; ${this.#rows} were written.`,
      )
    await this.file.patch(this.#header(), 0)
  }

  /** Removes what was written. Safe to call at any time, any number of times. */
  async abort(): Promise<void> {
    await this.file.discard()
  }
}

/** Writes a whole array to a .npy file. */
export async function writeNpy(path: string, array: NpyArray): Promise<void> {
  const parts = encodeNpy(array, path)
  const file = await OutputFile.create(path)
  try {
    for (const part of parts) await file.append(part)
    await file.commit()
  } catch (error) {
    await file.discard()
    throw error
  }
}

/** Header and data of a whole array; numbers are not copied. */
export function encodeNpy({ dtype, shape, data }: NpyArray, where: string): Uint8Array[] {
  if (data.length !== elementCount(shape))
    throw new DeepLiftError(
      'INVALID_INPUT',
      `${where}: shape (${shape}) needs ${elementCount(shape)} values, ${data.length} were given.`,
    )
  if (dtype !== 'string') {
    const itemSize = itemSizeOf(dtype)
    const bytes = encodeNumbers(data as NpyChunk, dtype, where)
    return [formatHeader({ dtype, itemSize, fortranOrder: false, shape }), bytes]
  }
  if (!Array.isArray(data)) throw wrongType(data, dtype, where)
  const strings = data.map((text) => Array.from(text, (character) => character.codePointAt(0)!))
  // NumPy has no strings of width 0.
  const width = strings.reduce((longest, { length }) => Math.max(longest, length), 1)
  const codePoints = new Uint32Array(strings.length * width)
  for (const [index, text] of strings.entries()) codePoints.set(text, index * width)
  const header = formatHeader({ dtype, itemSize: 4 * width, fortranOrder: false, shape })
  return [header, new Uint8Array(codePoints.buffer)]
}

function encodeNumbers(values: NpyChunk, dtype: NpyRowDtype, where: string): Uint8Array {
  if (!(values instanceof CHUNK_TYPES[dtype])) throw wrongType(values, dtype, where)
  const stored = dtype === 'float16' ? float32ToFloat16(values as Float32Array) : values
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength)
}

function wrongType(values: unknown, dtype: NpyDtype, where: string): DeepLiftError {
  const expected = dtype === 'string' ? 'an array of strings' : `a ${CHUNK_TYPES[dtype].name}`
  const found = (values as object)?.constructor?.name ?? String(values)
  return new DeepLiftError(
    'INVALID_INPUT',
    `${where}: values of type ${dtype} are given as ${expected}, not ${found}.`,
  )
}
