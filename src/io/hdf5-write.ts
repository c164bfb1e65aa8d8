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

/** Chunks that are deflated side by side, in Node's pool of threads. */
const CHUNKS_IN_FLIGHT = 8

/** A dataset on its way to the file. */
class Growing {
  rowsPerChunk: number
  /** Those that are in the file. */
  readonly chunks: Chunk[] = []
  rows = 0
  #stored = 0
  readonly #pending: Buffer
  #filled = 0

  constructor(readonly spec: Hdf5Rows) {
    const rowBytes = elementCount(spec.rowShape) * sizeOfType(spec.dtype)
    this.rowsPerChunk = Math.max(1, Math.floor(CHUNK_BYTES / rowBytes))
    this.#pending = Buffer.alloc(this.rowsPerChunk * rowBytes)
  }

  get chunkBytes(): number {
    return this.#pending.length
  }

  /** Takes whole rows. Gives runs of full chunks, if there are any, to be stored before it goes on. */
  *take(bytes: Uint8Array, rows: number): Generator<Uint8Array[]> {
    const from = this.#filled > 0 ? this.#fill(bytes) : 0
    const left = bytes.length - from
    const full = left - (left % this.chunkBytes)
    const runs = [bytes.subarray(from, from + full)]
    if (this.#filled === this.chunkBytes) runs.unshift(this.#pending)
    yield runs.filter(({ length }) => length > 0)
    if (this.#filled === this.chunkBytes) this.#filled = 0
    this.#fill(bytes.subarray(from + full))
    this.rows += rows
  }

  /** Puts what there is room for behind what is pending, and returns its size. */
  #fill(bytes: Uint8Array): number {
    const piece = bytes.subarray(0, this.chunkBytes - this.#filled)
    this.#pending.set(piece, this.#filled)
    this.#filled += piece.length
    return piece.length
  }

  /** The last chunk, whose missing rows are zeros; an only chunk has none. */
  rest(): Uint8Array | undefined {
    if (this.#filled === 0) return undefined
    if (this.#stored > 0) return this.#pending.fill(0, this.#filled)
    this.rowsPerChunk = this.rows
    return this.#pending.subarray(0, this.#filled)
  }

  /** The first row of the chunk that is stored next. */
  nextRow(): number {
    return this.#stored++ * this.rowsPerChunk
  }
}

/** A chunk that is being deflated. */
interface Packing {
  growing: Growing
  row: number
  packed: Promise<Uint8Array>
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
  /** In the order of the file. */
  readonly #packing: Packing[] = []

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
    for (const runs of growing.take(bytesOf(values, growing.spec.dtype), rows))
      await this.#store(growing, runs)
  }

  /** Stores runs of chunks, which may be overwritten once the promise resolves. */
  async #store(growing: Growing, runs: readonly Uint8Array[]): Promise<void> {
    const { deflateLevel: level } = this.options
    const { chunkBytes } = growing
    let address = this.file.size
    for (const run of runs)
      for (let at = 0; at < run.length; at += chunkBytes) {
        const chunk = run.subarray(at, at + chunkBytes)
        const row = growing.nextRow()
        if (level === undefined) growing.chunks.push({ row, address, bytes: chunk.length })
        else await this.#pack({ growing, row, packed: pack(chunk, sizeOfType(growing.spec.dtype), level) })
        address += chunk.length
      }
    if (level === undefined && runs.length > 0) await this.file.appendAll(runs)
  }

  async #pack(packing: Packing): Promise<void> {
    // If one fails those behind it are not waited for.
    packing.packed.catch(() => {})
    this.#packing.push(packing)
    await this.#drain(CHUNKS_IN_FLIGHT)
  }

  /** Writes deflated chunks until so many are left. */
  async #drain(left: number): Promise<void> {
    while (this.#packing.length > left) {
      const { growing, row, packed } = this.#packing.shift()!
      const bytes = await packed
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
    await this.#drain(0)
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

async function pack(chunk: Uint8Array, elementSize: number, level: number): Promise<Buffer> {
  return await compress(shuffleBytes(chunk, elementSize), { level })
}

/** A copy with all first bytes of elements, then all second ones, and so on: neighbours resemble each other. */
function shuffleBytes(bytes: Uint8Array, elementSize: number): Uint8Array {
  // A slice of a Buffer would be no copy.
  if (elementSize === 1) return new Uint8Array(bytes)
  const shuffled = new Uint8Array(bytes.length)
  const elements = bytes.length / elementSize
  for (let byte = 0; byte < elementSize; byte++)
    for (let index = 0, from = byte, to = byte * elements; index < elements; index++, from += elementSize)
      shuffled[to++] = bytes[from]!
  return shuffled
}
