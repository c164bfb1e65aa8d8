/** Reads arrays from .npy bytes, wherever they come from, in C order whatever order they are stored in. */

import type { FileHandle } from 'node:fs/promises'
import { DeepLiftError } from '../errors.js'
import { openForReading } from './files.js'
import { float16ToFloat32 } from './float16.js'
import {
  elementCount,
  headerExtent,
  malformed,
  type NpyDtype,
  type NpyHeader,
  PREFIX_SIZE,
  parseHeader,
} from './npy-header.js'

const MAX_CODE_POINT = 0x10ffff

/** Values in C order. float16 is widened to float32 (exactly), bool is 0 or 1, int64 is bigint. */
export type NpyData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | string[]

export interface NpyArray {
  /** The type stored in the file. */
  dtype: NpyDtype
  shape: number[]
  data: NpyData
}

/** Bytes of known total size, read from front to back. */
export interface ByteReader {
  readonly size: number
  /** Fills `target` completely, or throws. */
  read(target: Uint8Array): Promise<void>
}

/** Reads the whole array of a .npy file. */
export async function readNpy(path: string): Promise<NpyArray> {
  const file = await NpyFile.open(path)
  try {
    return { dtype: file.dtype, shape: file.shape, data: await file.readAll() }
  } finally {
    await file.close()
  }
}

/** A .npy file of which rows (indices of the first axis) are read as they are needed. */
export class NpyFile {
  /** A Fortran-ordered file has its rows scattered over all of it, so it is read once, whole. */
  #reordered: NpyData | undefined

  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    private readonly header: NpyHeader,
    private readonly dataStart: number,
  ) {}

  static async open(path: string): Promise<NpyFile> {
    const handle = await openForReading(path)
    try {
      const reader = fileReader(handle, 0, (await handle.stat()).size, path)
      const { header, dataStart } = await readHeader(reader, path)
      return new NpyFile(path, handle, header, dataStart)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  get dtype(): NpyDtype {
    return this.header.dtype
  }

  get shape(): number[] {
    return [...this.header.shape]
  }

  async readAll(): Promise<NpyData> {
    return await this.#read(0, elementCount(this.header.shape), this.header)
  }

  /** The rows `[start, end)` of an array of at least one axis. */
  async readRows(start: number, end: number): Promise<NpyData> {
    const [rows, ...rowShape] = this.header.shape
    if (rows === undefined || !(0 <= start && start <= end && end <= rows))
      throw new DeepLiftError(
        'INVALID_OPTION',
        `${this.path} has shape (${this.header.shape}); there are no rows ${start} to ${end}.`,
      )
    const perRow = elementCount(rowShape)
    if (!this.header.fortranOrder)
      return await this.#read(start * perRow, (end - start) * perRow, this.header)
    this.#reordered ??= await this.readAll()
    return this.#reordered.slice(start * perRow, end * perRow)
  }

  async #read(first: number, count: number, header: NpyHeader): Promise<NpyData> {
    const start = this.dataStart + first * header.itemSize
    const reader = fileReader(this.handle, start, count * header.itemSize, this.path)
    return await readElements(reader, count, header, this.path)
  }

  async close(): Promise<void> {
    await this.handle.close()
  }
}

/** Reads a whole .npy image. */
export async function readNpyFrom(reader: ByteReader, where: string): Promise<NpyArray> {
  const { header } = await readHeader(reader, where)
  const data = await readElements(reader, elementCount(header.shape), header, where)
  return { dtype: header.dtype, shape: header.shape, data }
}

/** An array of a .npy image that is read from front to back, some rows at a time. */
export interface NpyRows {
  dtype: NpyDtype
  shape: number[]
  /** The next rows. */
  next(rows: number): Promise<NpyData>
}

export async function openNpyRows(reader: ByteReader, where: string): Promise<NpyRows> {
  const { header } = await readHeader(reader, where)
  const [, ...rowShape] = header.shape
  if (header.shape.length === 0 || (header.fortranOrder && rowShape.length > 0))
    throw malformed(where, 'its rows do not follow each other (numpy.ascontiguousarray puts them in order)')
  return {
    dtype: header.dtype,
    shape: [...header.shape],
    next: async (rows) => await readElements(reader, rows * elementCount(rowShape), header, where),
  }
}

async function readHeader(
  reader: ByteReader,
  where: string,
): Promise<{ header: NpyHeader; dataStart: number }> {
  if (reader.size < PREFIX_SIZE) throw malformed(where, `it has only ${reader.size} bytes`)
  const prefix = new Uint8Array(PREFIX_SIZE)
  await reader.read(prefix)
  const { start, end } = headerExtent(prefix, where)
  if (end > reader.size || end < PREFIX_SIZE)
    throw malformed(where, `its header claims to end at byte ${end}, the file at byte ${reader.size}`)
  const bytes = new Uint8Array(end)
  bytes.set(prefix)
  await reader.read(bytes.subarray(PREFIX_SIZE))
  const header = parseHeader(bytes.subarray(start), where)

  // The product of untrusted sizes is compared with the file before anything is allocated; a product too large
  // for exact arithmetic is too large for the file as well.
  const expected = elementCount(header.shape) * header.itemSize
  const found = reader.size - end
  if (expected !== found) {
    const shape = `(${header.shape.join(', ')}) of ${header.dtype}`
    throw malformed(where, `shape ${shape} needs ${expected} bytes of data, and ${found} follow its header`)
  }
  return { header, dataStart: end }
}

async function readElements(
  reader: ByteReader,
  count: number,
  header: NpyHeader,
  where: string,
): Promise<NpyData> {
  const bytes = allocate(count * header.itemSize, where)
  await reader.read(bytes)
  const data = decode(bytes, header, count, where)
  return header.fortranOrder && header.shape.length > 1 ? toCOrder(data, header.shape) : data
}

function allocate(size: number, where: string): Uint8Array {
  try {
    return new Uint8Array(size)
  } catch (cause) {
    const advice = 'read a .npy file by rows instead'
    throw new DeepLiftError(
      'FILE_FORMAT',
      `${where} holds ${size} bytes, too many to read at once; ${advice}.`,
      {
        cause,
        details: { file: where },
      },
    )
  }
}

// Every platform of the native addon is little-endian, so typed arrays are views of the bytes.
function decode(bytes: Uint8Array, header: NpyHeader, count: number, where: string): NpyData {
  const { buffer } = bytes
  switch (header.dtype) {
    case 'float16':
      return float16ToFloat32(new Uint16Array(buffer))
    case 'float32':
      return new Float32Array(buffer)
    case 'float64':
      return new Float64Array(buffer)
    case 'int8':
      return new Int8Array(buffer)
    case 'int32':
      return new Int32Array(buffer)
    case 'int64':
      return new BigInt64Array(buffer)
    case 'uint8':
    case 'bool':
      return bytes
    case 'string':
      return decodeStrings(new Uint32Array(buffer), count, where)
  }
}

/** Fixed-width UTF-32, padded with zeros at the end. */
function decodeStrings(codePoints: Uint32Array, count: number, where: string): string[] {
  const width = count === 0 ? 0 : codePoints.length / count
  return Array.from({ length: count }, (_, index) => {
    let end = (index + 1) * width
    while (end > index * width && codePoints[end - 1] === 0) end--
    let text = ''
    for (let position = index * width; position < end; position++) {
      const codePoint = codePoints[position]!
      if (codePoint > MAX_CODE_POINT)
        throw malformed(where, `string ${index} holds ${codePoint}, which is not a Unicode code point`)
      text += String.fromCodePoint(codePoint)
    }
    return text
  })
}

function toCOrder(data: NpyData, shape: readonly number[]): NpyData {
  const ordered = data.slice()
  const strides: number[] = []
  let stride = 1
  for (const size of shape) {
    strides.push(stride)
    stride *= size
  }
  const index = shape.map(() => 0)
  let from = 0
  for (let to = 0; to < ordered.length; to++) {
    ordered[to] = data[from]!
    // Count up like an odometer, last axis first, keeping `from` in step.
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++
      from += strides[axis]!
      if (index[axis]! < shape[axis]!) break
      from -= strides[axis]! * shape[axis]!
      index[axis] = 0
    }
  }
  return ordered
}

function fileReader(handle: FileHandle, start: number, size: number, where: string): ByteReader {
  let position = start
  return {
    size,
    async read(target) {
      let done = 0
      while (done < target.byteLength) {
        const length = Math.min(target.byteLength - done, 1 << 30)
        const { bytesRead } = await handle.read(target, done, length, position)
        if (bytesRead === 0)
          throw malformed(where, `it ends at byte ${position}: it became shorter while read`)
        done += bytesRead
        position += bytesRead
      }
    },
  }
}
