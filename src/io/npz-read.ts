/** Reads .npz archives: zip files of .npy members, stored or deflated, zip64 included. */

import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import type { Entry, ZipFile } from 'yauzl'
import { DeepLiftError } from '../errors.js'
import { openForReading } from './files.js'
import { malformed } from './npy-header.js'
import { type ByteReader, type NpyArray, type NpyRows, openNpyRows, readNpyFrom } from './npy-read.js'

/** Deflate cannot do better than 1032 to 1; a member that claims to is an attack on memory. */
const MAX_DEFLATE_RATIO = 1032

/**
 * Reads arrays by key (`contributions` for the member `contributions.npy`).
 *
 * @param keys Only these are read, and all of them must be there; every array if omitted.
 */
export async function readNpz(path: string, keys?: readonly string[]): Promise<Record<string, NpyArray>> {
  const { arrays, available } = await readPresent(path, keys)
  const missing = keys?.find((key) => !(key in arrays))
  if (missing !== undefined)
    throw malformed(
      path,
      `it has no array ${JSON.stringify(missing)}, only ${available.join(', ') || 'none'}`,
    )
  return arrays
}

/** Reads those of the arrays that the archive has. */
export async function readNpzPresent(
  path: string,
  keys: readonly string[],
): Promise<Record<string, NpyArray | undefined>> {
  return (await readPresent(path, keys)).arrays
}

interface Members {
  arrays: Record<string, NpyArray>
  /** Keys of all arrays of the archive. */
  available: string[]
}

async function readPresent(path: string, keys: readonly string[] | undefined): Promise<Members> {
  const handle = await openForReading(path)
  try {
    return await readMembers(path, handle, keys)
  } catch (error) {
    throw error instanceof DeepLiftError ? error : malformed(path, `it is not a sound zip archive (${error})`)
  } finally {
    await handle.close()
  }
}

async function readMembers(
  path: string,
  handle: FileHandle,
  keys: readonly string[] | undefined,
): Promise<Members> {
  const arrays = new Map<string, NpyArray>()
  const available: string[] = []
  // Most programs read no archive: the library is loaded by those that do.
  const { fromFdPromise } = await import('yauzl')
  // The handle is ours to close, and yauzl is kept from closing it as well.
  const zip = await fromFdPromise(handle.fd, { autoClose: false, lazyEntries: true })
  for await (const entry of zip.eachEntry()) {
    if (!entry.fileName.endsWith('.npy')) continue
    const key = entry.fileName.slice(0, -'.npy'.length)
    if (available.includes(key)) throw malformed(path, `two of its members are named ${entry.fileName}`)
    available.push(key)
    if (keys === undefined || keys.includes(key)) arrays.set(key, await readMember(zip, entry, handle, path))
  }
  return { arrays: Object.fromEntries(arrays), available }
}

/** Arrays of an archive that are read side by side, some rows at a time; the last rows tell if any were damaged. */
export interface NpzRows {
  arrays: ReadonlyMap<string, NpyRows>
  close(): Promise<void>
}

/** @param keys Arrays that are opened if the archive has them; all if omitted. */
export async function openNpzRows(path: string, keys?: readonly string[]): Promise<NpzRows> {
  const handle = await openForReading(path)
  const readers: MemberReader[] = []
  const close = async () => {
    for (const reader of readers) reader.close()
    await handle.close()
  }
  try {
    const { fromFdPromise } = await import('yauzl')
    const zip = await fromFdPromise(handle.fd, { autoClose: false, lazyEntries: true })
    const arrays = new Map<string, NpyRows>()
    for await (const entry of zip.eachEntry()) {
      const key = entry.fileName.replace(/\.npy$/, '')
      if (key === entry.fileName || (keys && !keys.includes(key))) continue
      const where = `${path}, member ${entry.fileName},`
      const reader = await openMember(zip, entry, handle, where)
      readers.push(reader)
      arrays.set(key, await openNpyRows(reader, where))
    }
    return { arrays, close }
  } catch (error) {
    await close()
    throw error instanceof DeepLiftError ? error : malformed(path, `it is not a sound zip archive (${error})`)
  }
}

async function readMember(zip: ZipFile, entry: Entry, handle: FileHandle, path: string): Promise<NpyArray> {
  const where = `${path}, member ${entry.fileName},`
  if (entry.uncompressedSize > entry.compressedSize * MAX_DEFLATE_RATIO + MAX_DEFLATE_RATIO)
    throw malformed(where, `${entry.compressedSize} bytes claim to unpack to ${entry.uncompressedSize}`)
  const reader = await openMember(zip, entry, handle, where)
  try {
    return await readNpyFrom(reader, where)
  } finally {
    reader.close()
  }
}

/** Bytes of a member; the last of them are given only if the checksum of all is right. */
abstract class MemberReader implements ByteReader {
  #checksum = 0
  protected position = 0

  constructor(
    private readonly entry: Entry,
    protected readonly where: string,
  ) {}

  get size(): number {
    return this.entry.uncompressedSize
  }

  async read(target: Uint8Array): Promise<void> {
    for await (const piece of this.fill(target)) {
      this.position += piece.byteLength
      this.#checksum = crc32(piece, this.#checksum)
    }
    if (this.position === this.size && this.#checksum !== this.entry.crc32)
      throw malformed(this.where, 'its checksum is wrong: the archive is damaged')
  }

  /** Fills the target from front to back, and gives each part of it as soon as it is there. */
  protected abstract fill(target: Uint8Array): AsyncIterable<Uint8Array>

  abstract close(): void
}

/** Of a stored member that are read at once, and how often side by side: the checksum is counted meanwhile. */
const PIECE_BYTES = 1 << 19
const PIECES_IN_FLIGHT = 3

/** Stored as it is: read straight into the array, which is several times as fast as a stream. */
class StoredReader extends MemberReader {
  constructor(
    entry: Entry,
    where: string,
    private readonly handle: FileHandle,
    private readonly start: number,
  ) {
    super(entry, where)
  }

  protected async *fill(target: Uint8Array): AsyncGenerator<Uint8Array> {
    const first = this.start + this.position
    const flying: Promise<Uint8Array>[] = []
    for (let asked = 0; asked < target.byteLength || flying.length > 0; ) {
      while (asked < target.byteLength && flying.length < PIECES_IN_FLIGHT) {
        const piece = target.subarray(asked, asked + PIECE_BYTES)
        const read = this.#piece(piece, first + asked)
        // If one fails those behind it are not waited for.
        read.catch(() => {})
        flying.push(read)
        asked += piece.byteLength
      }
      yield await flying.shift()!
    }
  }

  async #piece(piece: Uint8Array, position: number): Promise<Uint8Array> {
    for (let done = 0; done < piece.byteLength; ) {
      const left = piece.byteLength - done
      const { bytesRead } = await this.handle.read(piece, done, left, position + done)
      if (bytesRead === 0) throw malformed(this.where, 'it ends too early')
      done += bytesRead
    }
    return piece
  }

  close(): void {}
}

class DeflatedReader extends MemberReader {
  #rest: Uint8Array = new Uint8Array(0)
  readonly #chunks: AsyncIterator<Uint8Array>

  constructor(
    entry: Entry,
    where: string,
    private readonly stream: Readable,
  ) {
    super(entry, where)
    this.#chunks = stream[Symbol.asyncIterator]()
  }

  protected async *fill(target: Uint8Array): AsyncGenerator<Uint8Array> {
    for (let done = 0; done < target.byteLength; ) {
      if (this.#rest.byteLength === 0) {
        const { value, done: ended } = await this.#chunks.next()
        if (ended) throw malformed(this.where, 'it ends too early')
        this.#rest = value
      }
      const piece = this.#rest.subarray(0, target.byteLength - done)
      target.set(piece, done)
      this.#rest = this.#rest.subarray(piece.byteLength)
      yield target.subarray(done, done + piece.byteLength)
      done += piece.byteLength
    }
  }

  close(): void {
    this.stream.destroy()
  }
}

const STORED = 0

async function openMember(
  zip: ZipFile,
  entry: Entry,
  handle: FileHandle,
  where: string,
): Promise<MemberReader> {
  if (entry.compressionMethod !== STORED)
    return new DeflatedReader(entry, where, await zip.openReadStreamPromise(entry))
  const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true })
  const { size } = await handle.stat()
  if (entry.isEncrypted() || fileDataStart + entry.uncompressedSize > size)
    throw malformed(where, `${entry.uncompressedSize} bytes are not in the archive`)
  return new StoredReader(entry, where, handle, fileDataStart)
}
