/**
 * Writes HDF5 files whose datasets grow side by side by rows, in chunks; memory is that of one chunk per dataset.
 *
 * Equal contents give equal bytes: nothing in the file tells when it was written.
 */

import { promisify } from 'node:util'
import { deflate } from 'node:zlib'
import { DeepLiftError } from '../errors.js'
import { OutputFile } from './files.js'
import { float32ToFloat16 } from './float16.js'
import {
  attributeMessage,
  type Chunk,
  chunkTree,
  datasetMessages,
  groupMessages,
  type Hdf5Number,
  type Hdf5Type,
  linkMessage,
  MAX_ATTRIBUTE_BYTES,
  objectHeader,
  type Storage,
  SUPERBLOCK_SIZE,
  sizeOfType,
  superblock,
} from './hdf5-objects.js'
import { elementCount } from './npy-header.js'

export interface Hdf5Rows {
  /** `name` or `group/name`. */
  path: string
  dtype: Hdf5Number
  /** Shape of one row: the shape in the file is `[rows, ...rowShape]`. */
  rowShape: readonly number[]
}

export interface Hdf5Options {
  /** Deflate level 1 to 9, as gzip in h5py, after a byte shuffle; stored as they are if omitted. */
  deflateLevel?: number
  /** Texts at the root. */
  attributes?: Readonly<Record<string, string>>
}

/** Values of a {@link Hdf5Number}: float16 is given as float32 and rounded. */
export type Hdf5Values = Float32Array | Float64Array | Int8Array | Uint8Array | Int32Array

/** Readers keep chunks of 1 MiB in their cache and no larger ones, by default. */
const CHUNK_BYTES = 1 << 19

const compress = promisify(deflate) as (bytes: Uint8Array, options: { level: number }) => Promise<Buffer>

/** A dataset on its way to the file. */
class Growing {
  rowsPerChunk: number
  readonly chunks: Chunk[] = []
  rows = 0
  #pending: Buffer
  #filled = 0

  constructor(readonly spec: Hdf5Rows) {
    const rowBytes = elementCount(spec.rowShape) * sizeOfType(spec.dtype)
    this.rowsPerChunk = Math.max(1, Math.floor(CHUNK_BYTES / rowBytes))
    this.#pending = Buffer.alloc(this.rowsPerChunk * rowBytes)
  }

  /** Takes whole rows, and gives back the chunks that are full now. */
  take(bytes: Uint8Array, rows: number): Buffer[] {
    const full: Buffer[] = []
    for (let from = 0; from < bytes.length; ) {
      const piece = bytes.subarray(from, from + this.#pending.length - this.#filled)
      this.#pending.set(piece, this.#filled)
      this.#filled += piece.length
      from += piece.length
      if (this.#filled === this.#pending.length) full.push(this.#next())
    }
    this.rows += rows
    return full
  }

  /** The last chunk, whose missing rows are zeros; an only chunk has none. */
  rest(): Buffer | undefined {
    if (this.#filled === 0) return undefined
    if (this.chunks.length > 0) return this.#next()
    this.rowsPerChunk = this.rows
    return this.#pending.subarray(0, this.#filled)
  }

  #next(): Buffer {
    const full = this.#pending
    this.#pending = Buffer.alloc(full.length)
    this.#filled = 0
    return full
  }
}

/**
 * A file that has its name only after `finish`; call `abort` if anything fails before.
 *
 * ```ts
 * const writer = await Hdf5Writer.create('scores.h5', [{ path: 'shap/seq', dtype: 'float16', rowShape: [4, 2114] }])
 * await writer.append('shap/seq', values) // once per batch, as Float32Array
 * await writer.finish()
 * ```
 */
export class Hdf5Writer {
  readonly #growing: ReadonlyMap<string, Growing>
  /** Addresses of object headers by path. */
  readonly #headers = new Map<string, number>()

  private constructor(
    private readonly file: OutputFile,
    rows: readonly Hdf5Rows[],
    private readonly options: Hdf5Options,
  ) {
    this.#growing = new Map(rows.map((spec) => [spec.path, new Growing(spec)]))
  }

  static async create(
    path: string,
    rows: readonly Hdf5Rows[],
    options: Hdf5Options = {},
  ): Promise<Hdf5Writer> {
    for (const [name, text] of Object.entries(options.attributes ?? {}))
      if (Buffer.byteLength(text) > MAX_ATTRIBUTE_BYTES)
        throw new DeepLiftError(
          'INVALID_OPTION',
          `${path}: attribute ${name} has ${Buffer.byteLength(text)} bytes; HDF5 takes ${MAX_ATTRIBUTE_BYTES}.`,
        )
    const writer = new Hdf5Writer(await OutputFile.create(path), rows, options)
    try {
      await writer.file.append(Buffer.alloc(SUPERBLOCK_SIZE))
    } catch (error) {
      await writer.abort()
      throw error
    }
    return writer
  }

  /** Appends whole rows. `values` may be reused once the promise resolves. */
  async append(path: string, values: Hdf5Values): Promise<void> {
    const growing = this.#growing.get(path)
    if (!growing)
      throw new DeepLiftError('INVALID_OPTION', `${this.file.path} has no growing dataset ${path}.`)
    const rows = values.length / elementCount(growing.spec.rowShape)
    if (!Number.isInteger(rows))
      throw new DeepLiftError(
        'INVALID_INPUT',
        `${this.file.path}, ${path} takes rows of shape (${growing.spec.rowShape}); ${values.length} values are ` +
          'not whole rows.',
      )
    await this.#store(growing, growing.take(bytesOf(values, growing.spec.dtype), rows))
  }

  async #store(growing: Growing, full: readonly Buffer[]): Promise<void> {
    const { deflateLevel: level } = this.options
    const size = sizeOfType(growing.spec.dtype)
    const stored =
      level === undefined ? full : await Promise.all(full.map((chunk) => pack(chunk, size, level)))
    for (const bytes of stored) {
      const row = growing.chunks.length * growing.rowsPerChunk
      growing.chunks.push({ row, address: this.file.size, bytes: bytes.length })
      await this.file.append(bytes)
    }
  }

  /** Adds strings, one per row, at the end of the file. */
  async putStrings(path: string, texts: readonly string[]): Promise<void> {
    const encoded = texts.map((text) => Buffer.from(text, 'utf8'))
    const stringBytes = encoded.reduce((longest, { length }) => Math.max(longest, length), 1)
    const bytes = Buffer.alloc(stringBytes * texts.length)
    for (const [index, text] of encoded.entries()) bytes.set(text, index * stringBytes)
    const address = this.file.size
    await this.file.append(bytes)
    await this.#dataset(path, { stringBytes }, [texts.length], {
      kind: 'contiguous',
      address,
      bytes: bytes.length,
    })
  }

  /** Completes the file and gives it its name. */
  async finish(): Promise<void> {
    for (const growing of this.#growing.values()) await this.#complete(growing)
    const root = await this.#groups()
    await this.file.patch(superblock(root, this.file.size), 0)
    await this.file.commit()
  }

  async #complete(growing: Growing): Promise<void> {
    const rest = growing.rest()
    if (rest) await this.#store(growing, [rest])
    const { spec, rowsPerChunk, rows, chunks } = growing
    const shape = [rows, ...spec.rowShape]
    const { dtype, path } = spec
    if (rows === 0) {
      await this.#dataset(path, dtype, shape, { kind: 'contiguous', address: 0, bytes: 0 })
      return
    }
    const { bytes, root } = chunkTree(chunks, chunks.length * rowsPerChunk, shape.length, this.file.size)
    await this.file.append(bytes)
    await this.#dataset(path, dtype, shape, {
      kind: 'chunked',
      tree: root,
      chunkShape: [rowsPerChunk, ...spec.rowShape],
      deflateLevel: this.options.deflateLevel,
    })
  }

  async #dataset(path: string, type: Hdf5Type, shape: readonly number[], storage: Storage): Promise<void> {
    this.#headers.set(path, this.file.size)
    await this.file.append(objectHeader(datasetMessages(type, shape, storage)))
  }

  /** Writes groups of one level and the root, and returns the address of the root. */
  async #groups(): Promise<number> {
    const groups = new Map<string, [name: string, address: number][]>([['', []]])
    for (const [path, address] of this.#headers) {
      const [name, group = ''] = path.split('/').reverse() as [string, string?]
      groups.set(group, [...(groups.get(group) ?? []), [name, address]])
    }
    const root = groups.get('')!
    for (const [group, members] of groups) {
      if (group === '') continue
      root.push([group, this.file.size])
      const links = members.map(([name, address]) => linkMessage(name, address))
      await this.file.append(objectHeader([...groupMessages(), ...links]))
    }
    const address = this.file.size
    const attributes = Object.entries(this.options.attributes ?? {})
    await this.file.append(
      objectHeader([
        ...groupMessages(),
        ...root.map(([name, member]) => linkMessage(name, member)),
        ...attributes.map(([name, text]) => attributeMessage(name, text)),
      ]),
    )
    return address
  }

  /** Removes what was written. Safe to call at any time, any number of times. */
  async abort(): Promise<void> {
    await this.file.discard()
  }
}

function bytesOf(values: Hdf5Values, dtype: Hdf5Number): Uint8Array {
  const stored = dtype === 'float16' ? float32ToFloat16(values as Float32Array) : values
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength)
}

async function pack(chunk: Buffer, elementSize: number, level: number): Promise<Buffer> {
  return await compress(shuffleBytes(chunk, elementSize), { level })
}

/** All first bytes of elements, then all second ones, and so on: neighbours resemble each other. */
function shuffleBytes(bytes: Buffer, elementSize: number): Buffer {
  if (elementSize === 1) return bytes
  const shuffled = Buffer.alloc(bytes.length)
  const elements = bytes.length / elementSize
  for (let byte = 0; byte < elementSize; byte++)
    for (let index = 0, from = byte, to = byte * elements; index < elements; index++, from += elementSize)
      shuffled[to++] = bytes[from]!
  return shuffled
}
