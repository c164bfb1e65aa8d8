/**
 * Writes .npz archives whose arrays grow side by side.
 *
 * A zip archive holds its members one after the other, so each growing array is first written to a temporary
 * file beside the archive; `finish` joins them. Memory stays that of one chunk.
 */

import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { DeepLiftError } from '../errors.js'
import { cannotWrite, OutputFile } from './files.js'
import type { NpyArray } from './npy-read.js'
import { NpyTextWriter } from './npy-text-write.js'
import { encodeNpy, type NpyChunk, type NpyRowDtype, NpyWriter } from './npy-write.js'

export interface NpzRows {
  key: string
  /** Texts have no axes but that of rows. */
  dtype: NpyRowDtype | 'string'
  /** Shape of one row: the shape in the archive is `[rows, ...rowShape]`. */
  rowShape: readonly number[]
}

export interface NpzOptions {
  /** Deflate the arrays; scores hardly shrink, so they are stored by default. */
  compress?: boolean
}

// Equal contents give equal archives: no clock, no umask. DOS times start here and have no zone.
const MEMBER = { mtime: new Date(1980, 0, 1), forceDosTimestamp: true, mode: 0o100644 }

/**
 * An archive that has its name only after `finish`; call `abort` if anything fails before.
 *
 * ```ts
 * const writer = await NpzWriter.create('scores.npz', [
 *   { key: 'contributions', dtype: 'float32', rowShape: [4, 600] },
 *   { key: 'completeness', dtype: 'float64', rowShape: [] },
 * ])
 * await writer.append('contributions', contributions) // once per batch
 * await writer.append('completeness', completeness)
 * writer.put('names', { dtype: 'string', shape: [names.length], data: names })
 * await writer.finish()
 * ```
 */
export class NpzWriter {
  readonly #whole = new Map<string, Uint8Array[]>()

  private constructor(
    private readonly path: string,
    private readonly rows: ReadonlyMap<string, NpyWriter | NpyTextWriter>,
    private readonly archive: OutputFile,
    private readonly options: NpzOptions,
  ) {}

  static async create(path: string, rows: readonly NpzRows[], options: NpzOptions = {}): Promise<NpzWriter> {
    // Most programs write no archive. Those that do load the library while they write rows; if that fails, `finish`
    // says so.
    import('yazl').catch(() => {})
    const archive = await OutputFile.create(path)
    const writers = new Map<string, NpyWriter | NpyTextWriter>()
    const writer = new NpzWriter(path, writers, archive, options)
    try {
      for (const [index, { key, dtype, rowShape }] of rows.entries()) {
        writer.#checkNew(key)
        const file = `${path}.${index}`
        if (dtype === 'string') writers.set(key, await NpyTextWriter.create(file))
        else writers.set(key, await NpyWriter.create(file, dtype, rowShape))
      }
    } catch (error) {
      await writer.abort()
      throw error
    }
    return writer
  }

  #checkNew(key: string): void {
    if (this.rows.has(key) || this.#whole.has(key))
      throw new DeepLiftError(
        'INVALID_OPTION',
        `${this.path} would have two arrays named ${JSON.stringify(key)}.`,
      )
    if (key === '' || key.startsWith('/') || key.includes('\\') || key.split('/').includes('..'))
      throw new DeepLiftError(
        'INVALID_OPTION',
        `${JSON.stringify(key)} cannot name an array in ${this.path}.`,
      )
  }

  /** Appends whole rows to one of the arrays named at creation. */
  async append(key: string, chunk: NpyChunk | readonly string[]): Promise<void> {
    const writer = this.rows.get(key)
    if (!writer)
      throw new DeepLiftError('INVALID_OPTION', `${this.path} has no growing array ${JSON.stringify(key)}.`)
    const texts = Array.isArray(chunk)
    if (texts !== writer instanceof NpyTextWriter)
      throw new DeepLiftError(
        'INVALID_INPUT',
        `${this.path}: array ${JSON.stringify(key)} takes ${texts ? 'numbers' : 'texts'}.`,
      )
    await writer.write(chunk as never)
  }

  /** Adds a small array that is known as a whole. It is kept in memory until `finish`. */
  put(key: string, array: NpyArray): void {
    this.#checkNew(key)
    this.#whole.set(key, encodeNpy(array, `${this.path}, array ${key}`))
  }

  /** Joins the arrays and gives the archive its name. */
  async finish(): Promise<void> {
    const { ZipFile } = await import('yazl')
    const zip = new ZipFile()
    const options = { ...MEMBER, compress: this.options.compress ?? false }
    for (const [key, writer] of this.rows) {
      await writer.complete()
      zip.addFile(writer.temporaryPath, `${key}.npy`, options)
    }
    for (const [key, parts] of this.#whole) zip.addBuffer(Buffer.concat(parts), `${key}.npy`, options)
    const output = zip.outputStream as NodeJS.ReadWriteStream & { destroy(error: Error): void }
    zip.on('error', (error: Error) => output.destroy(error))
    zip.end()
    try {
      await pipeline(output, createWriteStream(this.archive.temporaryPath))
    } catch (cause) {
      throw cannotWrite(this.path, cause)
    }
    for (const writer of this.rows.values()) await writer.abort()
    await this.archive.commit()
  }

  /** Removes everything written so far. Safe to call at any time, any number of times. */
  async abort(): Promise<void> {
    for (const writer of this.rows.values()) await writer.abort()
    await this.archive.discard()
  }
}
