/**
 * The header of a .npy file: magic, version, and a Python dictionary of dtype, order and shape.
 *
 * Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, versions 1.0 to 3.0.
 */

import { DeepLiftError } from '../errors.js'

/** Element types read and written; `string` is NumPy's fixed-width Unicode (`<U`). */
export type NpyDtype =
  | 'float16'
  | 'float32'
  | 'float64'
  | 'int8'
  | 'int32'
  | 'int64'
  | 'uint8'
  | 'bool'
  | 'string'

export interface NpyHeader {
  dtype: NpyDtype
  /** Bytes of one element; for strings four times their width in characters. */
  itemSize: number
  fortranOrder: boolean
  shape: number[]
}

const DESCRIPTIONS: Record<string, { dtype: NpyDtype; itemSize: number }> = {
  '<f2': { dtype: 'float16', itemSize: 2 },
  '<f4': { dtype: 'float32', itemSize: 4 },
  '<f8': { dtype: 'float64', itemSize: 8 },
  '|i1': { dtype: 'int8', itemSize: 1 },
  '<i4': { dtype: 'int32', itemSize: 4 },
  '<i8': { dtype: 'int64', itemSize: 8 },
  '|u1': { dtype: 'uint8', itemSize: 1 },
  '|b1': { dtype: 'bool', itemSize: 1 },
}

const MAGIC = Buffer.from('\x93NUMPY', 'latin1')

/** Bytes to read before {@link headerExtent} can tell where the data start. */
export const PREFIX_SIZE = 12

/** A header longer than this describes a structured type, which is refused anyway. */
const MAX_HEADER_LENGTH = 65_536

/** Decimal digits of the largest file NumPy could address, so that any row count fits the same header. */
const ROW_DIGITS = 20

/** Where the dictionary starts and ends, from the first {@link PREFIX_SIZE} bytes of a file. */
export function headerExtent(prefix: Uint8Array, where: string): { start: number; end: number } {
  const bytes = Buffer.from(prefix.buffer, prefix.byteOffset, prefix.byteLength)
  if (bytes.length < PREFIX_SIZE || !bytes.subarray(0, 6).equals(MAGIC))
    throw malformed(where, 'it does not start with the bytes of a .npy file (\\x93NUMPY)')
  const version = bytes[6]!
  if (version < 1 || version > 3)
    throw malformed(where, `its format version is ${version}.${bytes[7]}; versions 1.0 to 3.0 are read`)
  const start = version === 1 ? 10 : 12
  const length = version === 1 ? bytes.readUInt16LE(8) : bytes.readUInt32LE(8)
  if (length > MAX_HEADER_LENGTH)
    throw malformed(where, `its header claims ${length} bytes; at most ${MAX_HEADER_LENGTH} are read`)
  return { start, end: start + length }
}

/** Reads the dictionary. */
export function parseHeader(dictionary: Uint8Array, where: string): NpyHeader {
  const text = Buffer.from(dictionary.buffer, dictionary.byteOffset, dictionary.byteLength).toString('utf8')
  const field = (name: string, value: string) =>
    new RegExp(`['"]${name}['"]\\s*:\\s*${value}`).exec(text)?.[1]
  const shape = field('shape', '\\(([\\d\\sL,]*)\\)')
  const order = field('fortran_order', '(True|False)')
  const descr = field('descr', `['"]([^'"]*)['"]`)
  if (!/^\s*\{.*\}\s*$/s.test(text) || shape === undefined || order === undefined)
    throw malformed(
      where,
      `its header is not a dictionary of descr, fortran_order and shape: ${excerpt(text)}`,
    )
  if (descr === undefined)
    throw malformed(where, `it has a structured dtype, ${excerpt(text)}; plain arrays are read`)

  const dims = shape.split(',').map((dim) => dim.trim().replace(/L$/, ''))
  if (dims.at(-1) === '') dims.pop()
  const sizes = dims.map(Number)
  if (dims.includes('') || !sizes.every(Number.isSafeInteger))
    throw malformed(where, `its shape is (${shape})`)
  return { ...parseDescription(descr, where), fortranOrder: order === 'True', shape: sizes }
}

function parseDescription(descr: string, where: string): { dtype: NpyDtype; itemSize: number } {
  const known = DESCRIPTIONS[descr]
  if (known) return known
  const width = /^<U([1-9]\d{0,6})$/.exec(descr)?.[1]
  if (width !== undefined) return { dtype: 'string', itemSize: 4 * Number(width) }
  const advice = descr.includes('O')
    ? 'Python objects are never unpickled'
    : "save it with array.astype('<f4') or another type read here"
  const read = [...Object.keys(DESCRIPTIONS), '<U'].join(', ')
  throw malformed(where, `its dtype is ${JSON.stringify(descr)}; ${read} are read, and ${advice}`)
}

/**
 * Everything before the data, padded so that they start on a multiple of 64 bytes. The size does not depend on
 * the first dimension: it can be written before the number of rows is known and patched afterwards.
 */
export function formatHeader(header: NpyHeader): Buffer {
  const dictionary = (shape: string) =>
    `{'descr': '${describe(header)}', 'fortran_order': ${header.fortranOrder ? 'True' : 'False'}, ` +
    `'shape': (${shape}), }`
  const [rows, ...rest] = header.shape
  const shapeOf = (first: string) =>
    rest.length === 0 ? `${first},` : [first, ...rest.map(String)].join(', ')
  const text = dictionary(rows === undefined ? '' : shapeOf(String(rows)))
  const longest = dictionary(shapeOf('9'.repeat(ROW_DIGITS)))
  const size = Math.ceil((10 + longest.length + 1) / 64) * 64
  const bytes = Buffer.alloc(size, ' ')
  MAGIC.copy(bytes)
  bytes[6] = 1
  bytes[7] = 0
  bytes.writeUInt16LE(size - 10, 8)
  bytes.write(text, 10, 'latin1')
  bytes[size - 1] = '\n'.charCodeAt(0)
  return bytes
}

function describe(header: NpyHeader): string {
  if (header.dtype === 'string') return `<U${header.itemSize / 4}`
  return Object.entries(DESCRIPTIONS).find(([, { dtype }]) => dtype === header.dtype)![0]
}

/** Bytes of one element of a type whose size does not depend on its contents. */
export function itemSizeOf(dtype: Exclude<NpyDtype, 'string'>): number {
  return Object.values(DESCRIPTIONS).find((known) => known.dtype === dtype)!.itemSize
}

/** Elements of an array of this shape: 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

export function malformed(where: string, problem: string): DeepLiftError {
  return new DeepLiftError('FILE_FORMAT', `${where} cannot be read: ${problem}.`, {
    details: { file: where },
  })
}

function excerpt(text: string): string {
  const line = text.trim()
  return line.length > 120 ? `${line.slice(0, 120)}…` : line
}
