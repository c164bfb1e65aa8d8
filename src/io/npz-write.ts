/**
 * Writes .npz archives whose arrays grow side by side.
 *
 * A zip archive holds its members one after the other. The array of the largest rows grows in the archive; the others
 * wait in temporary files beside it, and `finish` puts them behind. Memory stays that of one chunk.
 */

import { DeepLiftError } from '../errors.js'
import { OutputFile } from './files.js'
import { elementCount, itemSizeOf } from './npy-header.js'
import type { NpyArray } from './npy-read.js'
import { NpyTextWriter } from './npy-text-write.js'
import { encodeNpy, type NpyChunk, type NpyRowDtype, NpyWriter } from './npy-write.js'
import { ZipWriter } from './zip-write.js'

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

/** An array that is not complete yet. */
interface Growing {
  writer: NpyWriter | NpyTextWriter
  /** Where it waits; undefined for the array that grows in the archive, and for texts. */
  waiting?: OutputFile
}

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

  readonly #rows = new Map<string, Growing>()

  private constructor(
    private readonly path: string,
    private readonly archive: ZipWriter,
    private readonly options: NpzOptions,
  ) {}

  static async create(path: string, rows: readonly NpzRows[], options: NpzOptions = {}): Promise<NpzWriter> {
    const writer = new NpzWriter(path, await ZipWriter.create(path), options)
    try {
      // Deflated members cannot have their first bytes replaced.
      const inPlace = options.compress ? undefined : largest(rows)
      for (const each of rows) {
        writer.#checkNew(each.key)
        writer.#rows.set(each.key, await writer.#grow(each, each === inPlace))
      }
    } catch (error) {
      await writer.abort()
      throw error
    }
    return writer
  }

  async #grow({ key, dtype, rowShape }: NpzRows, inPlace: boolean): Promise<Growing> {
    const temporary = `${this.path}.${this.#rows.size}`
    if (dtype === 'string') return { writer: await NpyTextWriter.create(temporary) }
    if (inPlace)
      return { writer: await NpyWriter.over(await this.archive.store(`${key}.npy`), dtype, rowShape) }
    const waiting = await OutputFile.create(temporary)
    return { writer: await NpyWriter.over(waiting, dtype, rowShape), waiting }
  }

  #checkNew(key: string): void {
    if (this.#rows.has(key) || this.#whole.has(key))
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
    const writer = this.#rows.get(key)?.writer
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
    for (const { writer, waiting } of this.#rows.values())
      if (writer instanceof NpyWriter && !waiting) await writer.finish()
    for (const [key, { writer, waiting }] of this.#rows) {
      if (writer instanceof NpyTextWriter) await this.#add(key, writer.file())
      else if (waiting) {
        await writer.complete()
        await this.#add(key, waiting.pieces())
      }
      await writer.abort()
    }
    for (const [key, parts] of this.#whole) await this.#add(key, parts)
    await this.archive.finish()
  }

  async #add(key: string, pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    const name = `${key}.npy`
    if (this.options.compress) {
      await this.archive.deflate(name, pieces)
      return
    }
    const member = await this.archive.store(name)
    for await (const piece of pieces) await member.append(piece)
    await member.commit()
  }

  /** Removes everything written so far. Safe to call at any time, any number of times. */
  async abort(): Promise<void> {
    for (const { writer } of this.#rows.values()) await writer.abort()
    await this.archive.abort()
  }
}

/** The array of numbers of which a row has most bytes. */
function largest(rows: readonly NpzRows[]): NpzRows | undefined {
  const bytesOf = ({ dtype, rowShape }: NpzRows) =>
    dtype === 'string' ? 0 : itemSizeOf(dtype) * elementCount(rowShape)
  return rows.toSorted((a, b) => bytesOf(b) - bytesOf(a)).find(({ dtype }) => dtype !== 'string')
}
