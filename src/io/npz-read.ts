/** Reads .npz archives: zip files of .npy members, stored or deflated, zip64 included. */

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
    return await readMembers(path, handle.fd, keys)
  } catch (error) {
    throw error instanceof DeepLiftError ? error : malformed(path, `it is not a sound zip archive (${error})`)
  } finally {
    await handle.close()
  }
}

async function readMembers(path: string, fd: number, keys: readonly string[] | undefined): Promise<Members> {
  const arrays = new Map<string, NpyArray>()
  const available: string[] = []
  // Most programs read no archive: the library is loaded by those that do.
  const { fromFdPromise } = await import('yauzl')
  // The handle is ours to close, and yauzl is kept from closing it as well.
  const zip = await fromFdPromise(fd, { autoClose: false, lazyEntries: true })
  for await (const entry of zip.eachEntry()) {
    if (!entry.fileName.endsWith('.npy')) continue
    const key = entry.fileName.slice(0, -'.npy'.length)
    if (available.includes(key)) throw malformed(path, `two of its members are named ${entry.fileName}`)
    available.push(key)
    if (keys === undefined || keys.includes(key)) arrays.set(key, await readMember(zip, entry, path))
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
  const readers: StreamReader[] = []
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
      const reader = new StreamReader(await zip.openReadStreamPromise(entry), entry, where)
      readers.push(reader)
      arrays.set(key, await openNpyRows(reader, where))
    }
    return { arrays, close }
  } catch (error) {
    await close()
    throw error instanceof DeepLiftError ? error : malformed(path, `it is not a sound zip archive (${error})`)
  }
}

async function readMember(zip: ZipFile, entry: Entry, path: string): Promise<NpyArray> {
  const where = `${path}, member ${entry.fileName},`
  if (entry.uncompressedSize > entry.compressedSize * MAX_DEFLATE_RATIO + MAX_DEFLATE_RATIO)
    throw malformed(where, `${entry.compressedSize} bytes claim to unpack to ${entry.uncompressedSize}`)
  const reader = new StreamReader(await zip.openReadStreamPromise(entry), entry, where)
  try {
    return await readNpyFrom(reader, where)
  } finally {
    reader.close()
  }
}

class StreamReader implements ByteReader {
  #checksum = 0
  #position = 0
  #rest: Uint8Array = new Uint8Array(0)
  readonly #chunks: AsyncIterator<Uint8Array>

  constructor(
    private readonly stream: Readable,
    private readonly entry: Entry,
    private readonly where: string,
  ) {
    this.#chunks = stream[Symbol.asyncIterator]()
  }

  get size(): number {
    return this.entry.uncompressedSize
  }

  async read(target: Uint8Array): Promise<void> {
    let done = 0
    while (done < target.byteLength) {
      if (this.#rest.byteLength === 0) {
        const { value, done: ended } = await this.#chunks.next()
        if (ended) throw malformed(this.where, 'it ends too early')
        this.#rest = value
      }
      const piece = this.#rest.subarray(0, target.byteLength - done)
      target.set(piece, done)
      this.#checksum = crc32(piece, this.#checksum)
      this.#rest = this.#rest.subarray(piece.byteLength)
      done += piece.byteLength
    }
    this.#position += done
    if (this.#position === this.size && this.#checksum !== this.entry.crc32)
      throw malformed(this.where, 'its checksum is wrong: the archive is damaged')
  }

  close(): void {
    this.stream.destroy()
  }
}
