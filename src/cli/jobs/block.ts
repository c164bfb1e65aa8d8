/**
 * Blocks: the results of consecutive examples of a job, each block one .npz archive.
 *
 * An archive has its name only when it is complete and on the disk. It holds the arrays of its batches by number, their
 * outline, and the identity of its job. Records are not kept: whoever reads a block has them from where they came.
 */

import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { DeepLiftError } from '../../errors.js'
import { elementCount } from '../../io/npy-header.js'
import { openNpzRows } from '../../io/npz-read.js'
import { NpzWriter } from '../../io/npz-write.js'
import { putTogether, type Rows, takeApart } from './codec.js'
import type { Batch, Results } from './job.js'
import { type Manifest, placeOf } from './manifest.js'

export const BLOCKS = 'blocks'

/** Texts: the identity of the job, and the outline of batches. */
const JOB = 'job'

/** Some consecutive examples of a block. */
export type Piece = Omit<Results<Batch>, 'records'> & { rows: number }

export function blockPath(folder: string, block: number): string {
  return join(folder, BLOCKS, `${String(block).padStart(6, '0')}.npz`)
}

/** Writes one block, batch by batch. */
export class BlockWriter {
  #writer: NpzWriter | undefined
  readonly #rows: number
  #filled = 0

  constructor(
    private readonly folder: string,
    private readonly manifest: Manifest,
    readonly block: number,
  ) {
    const { first, end } = placeOf(manifest, block)
    this.#rows = end - first
  }

  /** Examples that are missing. */
  get room(): number {
    return this.#rows - this.#filled
  }

  /** Takes the examples `[from, to)` of a batch. */
  async add(batch: Batch, from: number, to: number): Promise<void> {
    const { outline, arrays } = takeApart(batch)
    this.#writer ??= await this.#create(outline, arrays)
    for (const [key, { data, shape }] of arrays.entries()) {
      const row = data.length / shape[0]!
      await this.#writer.append(String(key), data.subarray(from * row, to * row))
    }
    this.#filled += to - from
  }

  async #create(outline: string, arrays: readonly Rows[]): Promise<NpzWriter> {
    const rows = arrays.map(({ data, shape }, key) => ({
      key: String(key),
      dtype: dtypeOf(data),
      rowShape: shape.slice(1),
    }))
    const writer = await NpzWriter.create(blockPath(this.folder, this.block), rows)
    writer.put(JOB, { dtype: 'string', shape: [2], data: [this.manifest.id, outline] })
    return writer
  }

  async finish(): Promise<void> {
    await this.#writer!.finish()
  }

  /** Removes what was written. Safe to call at any time, any number of times. */
  async abort(): Promise<void> {
    await this.#writer?.abort()
  }
}

function dtypeOf(data: Rows['data']): 'uint8' | 'float32' | 'float64' {
  if (data instanceof Uint8Array) return 'uint8'
  return data instanceof Float64Array ? 'float64' : 'float32'
}

/** Whether there is a file for a block, sound or not. */
export async function blockExists(folder: string, block: number): Promise<boolean> {
  return await access(blockPath(folder, block)).then(
    () => true,
    () => false,
  )
}

/** Of the results that are read together. */
const BYTES_AT_ONCE = 1 << 20

/**
 * The examples of a block in order, some at a time; checksums are compared by the end.
 *
 * @throws {DeepLiftError} FILE_FORMAT for a damaged block, and for one of another job; FILE_NOT_FOUND
 */
export async function* readBlock(folder: string, manifest: Manifest, block: number): AsyncGenerator<Piece> {
  const path = blockPath(folder, block)
  const { first, end } = placeOf(manifest, block)
  const { arrays, close } = await openNpzRows(path)
  const wrong = (problem: string) =>
    new DeepLiftError('FILE_FORMAT', `${path}: ${problem}.`, { details: { path } })
  try {
    const [id, outline] = ((await arrays.get(JOB)?.next(2)) ?? []) as string[]
    if (id !== manifest.id) throw wrong('it belongs to another job')
    const results = Array.from({ length: arrays.size - 1 }, (_, key) => arrays.get(String(key)))
    if (results.some((array) => array?.shape[0] !== end - first))
      throw wrong(`it does not hold ${end - first} examples`)
    const values = results.reduce((sum, array) => sum + elementCount(array!.shape.slice(1)), 0)
    const step = Math.max(1, Math.floor(BYTES_AT_ONCE / (4 * values)))
    for (let from = first; from < end; from += step) {
      const rows = Math.min(step, end - from)
      const pieces: Rows[] = []
      for (const array of results) {
        const data = (await array!.next(rows)) as Rows['data']
        pieces.push({ data, shape: [rows, ...array!.shape.slice(1)] })
      }
      yield { ...putTogether(outline!, pieces), first: from, rows }
    }
  } finally {
    await close()
  }
}

/** Whether a block can be read to its end; if not, why. */
export async function isSound(
  folder: string,
  manifest: Manifest,
  block: number,
): Promise<true | DeepLiftError> {
  try {
    const pieces = readBlock(folder, manifest, block)
    while (!(await pieces.next()).done);
    return true
  } catch (error) {
    if (error instanceof DeepLiftError && error.code === 'FILE_FORMAT') return error
    throw error
  }
}
