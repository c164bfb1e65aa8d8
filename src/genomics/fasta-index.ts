/**
 * The index of a FASTA file (.fai): for each record its name, length, offset of the first base, and bases and bytes of
 * a line. Made when it is missing, as `samtools faidx` makes it: http://www.htslib.org/doc/faidx.html.
 */

import { createHash } from 'node:crypto'
import { access, constants, mkdir, readFile, realpath, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { aborted } from '../caller.js'
import { DeepLiftError } from '../errors.js'
import { readBytes } from '../io/byte-source.js'
import { OutputFile } from '../io/files.js'

export interface FastaIndexEntry {
  length: number
  /** Of the first base, in the unpacked file. */
  offset: number
  lineBases: number
  lineBytes: number
}

export type FastaIndex = ReadonlyMap<string, FastaIndexEntry>

const LF = 10
const CR = 13
const HEADER = 62

/**
 * What stands in `PATH.EXTENSION`; if there is no such file, what `make` makes, which is written there for the next time, or
 * to the cache of the user where the folder cannot be written.
 */
export async function indexFile(
  path: string,
  extension: string,
  make: () => Promise<Buffer>,
): Promise<{ path: string; bytes: Buffer }> {
  const beside = `${path}.${extension}`
  const cached = await cachePath(path, extension)
  for (const candidate of [beside, cached]) {
    const bytes = await readFile(candidate).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT') return undefined
      throw new DeepLiftError('FILE_NOT_FOUND', `${candidate} cannot be opened (${cause.code}).`, { cause })
    })
    if (bytes) return { path: candidate, bytes }
  }
  const bytes = await make()
  const writable = await access(dirname(path), constants.W_OK).then(
    () => true,
    () => false,
  )
  const target = writable ? beside : cached
  if (!writable) await mkdir(dirname(target), { recursive: true })
  const file = await OutputFile.create(target)
  try {
    await file.append(bytes)
    await file.commit()
  } catch (error) {
    await file.discard()
    throw error
  }
  return { path: target, bytes }
}

/** A file that has changed has another place in the cache. */
async function cachePath(path: string, extension: string): Promise<string> {
  const { size, mtimeMs } = await stat(path)
  const key = createHash('sha256')
    .update(`${await realpath(path)}\n${size}\n${mtimeMs}`)
    .digest('hex')
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  return join(cache, 'deeplift', `${key.slice(0, 32)}.${extension}`)
}

export function parseFastaIndex(bytes: Buffer, path: string): FastaIndex {
  const index = new Map<string, FastaIndexEntry>()
  for (const [number, text] of bytes.toString('utf8').split('\n').entries()) {
    if (text.trim() === '') continue
    const [name, ...fields] = text.trimEnd().split('\t')
    const [length, offset, lineBases, lineBytes] = fields.map(Number)
    const entry = { length: length!, offset: offset!, lineBases: lineBases!, lineBytes: lineBytes! }
    const sound =
      fields.length === 4 &&
      Object.values(entry).every((value) => Number.isSafeInteger(value) && value >= 0) &&
      (entry.lineBases > 0 || entry.length === 0) &&
      entry.lineBytes >= entry.lineBases
    if (!sound)
      throw new DeepLiftError(
        'FILE_FORMAT',
        `${path}, line ${number + 1}: expected name, length, offset, bases and bytes per line, found ` +
          `${JSON.stringify(text.slice(0, 80))}; delete the file to have it made again.`,
        { details: { file: path, line: number + 1 } },
      )
    if (index.has(name!))
      throw new DeepLiftError('FILE_FORMAT', `${path}: two sequences are named ${JSON.stringify(name)}.`, {
        details: { file: path, line: number + 1 },
      })
    index.set(name!, entry)
  }
  return index
}

export function formatFastaIndex(index: FastaIndex): Buffer {
  const lines = [...index].map(
    ([name, { length, offset, lineBases, lineBytes }]) =>
      `${[name, length, offset, lineBases, lineBytes].join('\t')}\n`,
  )
  return Buffer.from(lines.join(''))
}

/** Reads the whole file once. Every line of a record but its last must have as many bases as its first. */
export async function indexFasta(path: string, signal?: AbortSignal): Promise<FastaIndex> {
  const scan = new FastaScan(path)
  for await (const chunk of readBytes(path)) {
    if (signal?.aborted) throw aborted(`Indexing ${path}`, signal)
    scan.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
  }
  return scan.end()
}

class FastaScan {
  readonly #index = new Map<string, FastaIndexEntry>()
  #entry: FastaIndexEntry | undefined
  /** Of the chunk, in the unpacked file. */
  #offset = 0
  /** The pieces of a line that goes on in the next chunk: whole for headers, else only its size and last byte count. */
  #header: Buffer[] | undefined
  #lineBytes = 0
  #lastByte = 0
  #lineStart = true
  /** Set by a line shorter than the first: only the last one may be. */
  #ended = false
  #line = 1

  constructor(private readonly path: string) {}

  push(chunk: Buffer): void {
    let start = 0
    while (start < chunk.length) {
      if (this.#lineStart && chunk[start] === HEADER) this.#header = []
      this.#lineStart = false
      const newline = chunk.indexOf(LF, start)
      const end = newline < 0 ? chunk.length : newline
      // Copied: the chunk belongs to its stream and may be reused.
      this.#header?.push(Buffer.from(chunk.subarray(start, end)))
      this.#lineBytes += end - start
      if (end > start) this.#lastByte = chunk[end - 1]!
      if (newline >= 0) this.#endLine(1, this.#offset + newline + 1)
      start = end + 1
    }
    this.#offset += chunk.length
  }

  end(): FastaIndex {
    if (this.#lineBytes > 0) this.#endLine(0, this.#offset)
    if (this.#index.size === 0) throw this.#problem('it has no records: FASTA records start with ">"')
    return this.#index
  }

  /** @param next Offset of the byte after the line. */
  #endLine(newline: number, next: number): void {
    if (this.#header) this.#startRecord(Buffer.concat(this.#header).toString('utf8', 1), next)
    else this.#addLine(newline)
    this.#header = undefined
    this.#lineBytes = 0
    this.#lineStart = true
    this.#line++
  }

  #startRecord(header: string, offset: number): void {
    const [name] = header.trim().split(/\s/, 1)
    if (!name) throw this.#problem(`line ${this.#line}: the record has no name after ">"`)
    if (this.#index.has(name))
      throw this.#problem(`line ${this.#line}: a record before is named ${JSON.stringify(name)} as well`)
    this.#entry = { length: 0, offset, lineBases: 0, lineBytes: 0 }
    this.#index.set(name, this.#entry)
    this.#ended = false
  }

  #addLine(newline: number): void {
    const carriageReturn = this.#lineBytes > 0 && this.#lastByte === CR ? 1 : 0
    const bases = this.#lineBytes - carriageReturn
    const bytes = this.#lineBytes + newline
    const entry = this.#entry
    if (!entry) {
      if (bases > 0) throw this.#problem(`line ${this.#line}: expected ">" before any sequence`)
      return
    }
    if (bases === 0) {
      this.#ended = true
      return
    }
    if (entry.length === 0) Object.assign(entry, { lineBases: bases, lineBytes: bytes })
    if (
      this.#ended ||
      bases > entry.lineBases ||
      (newline === 1 && bytes - bases !== entry.lineBytes - entry.lineBases)
    )
      throw this.#problem(
        `line ${this.#line}: lines of a record must be equally long to be indexed; write the file anew with ` +
          'lines of one length',
      )
    entry.length += bases
    if (bases < entry.lineBases) this.#ended = true
  }

  #problem(problem: string): DeepLiftError {
    return new DeepLiftError('FILE_FORMAT', `${this.path} cannot be indexed: ${problem}.`, {
      details: { file: this.path, line: this.#line },
    })
  }
}
