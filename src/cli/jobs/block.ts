/**
 * Blocks: the scores of consecutive examples of a job, each block one .npz archive.
 *
 * An archive has its name only when it is complete and on the disk. Beside the scores (`contributions.0`, … by the
 * number of the input or layer, `output`, `completeness`, …) it holds the base codes of its examples, so that results
 * are written without the genome, and the identity of its job.
 */

import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { DeepLiftError } from '../../errors.js'
import { UNKNOWN_BASE } from '../../genomics/letters.js'
import { elementCount } from '../../io/npy-header.js'
import { openNpzRows } from '../../io/npz-read.js'
import { NpzWriter } from '../../io/npz-write.js'
import type { FloatArray } from '../../native.js'
import type { OutputName } from '../../options/score-options.js'
import { worstOf } from '../../progress.js'
import type { ScoreBatch } from '../../stream.js'
import type { Tensor } from '../../tensor.js'
import type { ScoredRecord } from '../sinks/sink.js'
import type { Manifest } from './manifest.js'

export const BLOCKS = 'blocks'

const JOB = 'job'
const CODES = 'codes'
const PER_TARGET = ['output', 'referenceOutput', 'delta', 'completeness'] as const

/** Some consecutive examples of a block. */
export interface Block extends Omit<ScoreBatch<ScoredRecord>, 'records' | 'warnings'> {
  /** Base codes `[examples, length]`. */
  codes: Tensor<Uint8Array>
}

export function blockPath(folder: string, block: number): string {
  return join(folder, BLOCKS, `${String(block).padStart(6, '0')}.npz`)
}

/** The examples `[first, end)` of a block. */
export function blockRange({ blockSize, regions }: Manifest, block: number): { first: number; end: number } {
  return { first: block * blockSize, end: Math.min((block + 1) * blockSize, regions.kept) }
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
    const { first, end } = blockRange(manifest, block)
    this.#rows = end - first
  }

  /** Examples that are missing. */
  get room(): number {
    return this.#rows - this.#filled
  }

  /** Takes the examples `[from, to)` of a batch. */
  async add(batch: ScoreBatch<ScoredRecord>, from: number, to: number): Promise<void> {
    const arrays = [...arraysOf(batch, this.manifest), [CODES, this.#codesOf(batch)] as const]
    this.#writer ??= await this.#create(arrays)
    for (const [key, { data, shape }] of arrays) {
      const row = data.length / shape[0]!
      await this.#writer.append(key, data.subarray(from * row, to * row))
    }
    this.#filled += to - from
  }

  #codesOf({ records }: ScoreBatch<ScoredRecord>): Tensor<Uint8Array> {
    const { input, length } = this.manifest
    const data = new Uint8Array(records.length * length)
    for (const [example, { inputs }] of records.entries())
      data.set((inputs[input] as Tensor<Uint8Array>).data, example * length)
    return { data, shape: [records.length, length] }
  }

  async #create(arrays: readonly (readonly [string, Tensor<FloatArray | Uint8Array>])[]): Promise<NpzWriter> {
    const rows = arrays.map(([key, { data, shape }]) => ({
      key,
      dtype: dtypeOf(data),
      rowShape: shape.slice(1),
    }))
    const writer = await NpzWriter.create(blockPath(this.folder, this.block), rows)
    writer.put(JOB, { dtype: 'string', shape: [1], data: [this.manifest.id] })
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

function dtypeOf(data: FloatArray | Uint8Array): 'uint8' | 'float32' | 'float64' {
  if (data instanceof Uint8Array) return 'uint8'
  return data instanceof Float64Array ? 'float64' : 'float32'
}

function arraysOf(
  batch: ScoreBatch<ScoredRecord>,
  { outputs, scored }: Manifest,
): [string, Tensor<FloatArray>][] {
  const named = outputs.flatMap((output) =>
    scored.flatMap((name, index): [string, Tensor<FloatArray>][] => {
      const tensor = batch[output][name]
      return tensor ? [[`${output}.${index}`, tensor]] : []
    }),
  )
  return [...named, ...PER_TARGET.map((key): [string, Tensor<FloatArray>] => [key, batch[key]])]
}

/** Whether there is a file for a block, sound or not. */
export async function blockExists(folder: string, block: number): Promise<boolean> {
  return await access(blockPath(folder, block)).then(
    () => true,
    () => false,
  )
}

/** Of the scores that are read together. */
const BYTES_AT_ONCE = 1 << 20

/**
 * The examples of a block in order, some at a time; checksums are compared by the end.
 *
 * @throws {DeepLiftError} FILE_FORMAT for a damaged block, and for one of another job; FILE_NOT_FOUND
 */
export async function* readBlock(folder: string, manifest: Manifest, block: number): AsyncGenerator<Block> {
  const path = blockPath(folder, block)
  const { first, end } = blockRange(manifest, block)
  const { arrays, close } = await openNpzRows(path)
  const wrong = (problem: string) =>
    new DeepLiftError('FILE_FORMAT', `${path}: ${problem}.`, { details: { path } })
  try {
    const [id] = ((await arrays.get(JOB)?.next(1)) ?? []) as string[]
    if (id !== manifest.id) throw wrong('it belongs to another job')
    const scores = [...arrays].filter(([key]) => key !== JOB)
    if (
      scores.some(([, { shape }]) => shape[0] !== end - first) ||
      [CODES, ...PER_TARGET].some((key) => !arrays.has(key))
    )
      throw wrong(`it does not hold ${end - first} examples`)
    const values = scores.reduce((sum, [, { shape }]) => sum + elementCount(shape.slice(1)), 0)
    const step = Math.max(1, Math.floor(BYTES_AT_ONCE / (4 * values)))
    for (let from = first; from < end; from += step) {
      const rows = Math.min(step, end - from)
      const tensors = new Map<string, Tensor<FloatArray>>()
      for (const [key, { shape, next }] of scores)
        tensors.set(key, { data: (await next(rows)) as FloatArray, shape: [rows, ...shape.slice(1)] })
      yield blockOf(tensors, manifest, from)
    }
  } finally {
    await close()
  }
}

function blockOf(tensors: ReadonlyMap<string, Tensor<FloatArray>>, manifest: Manifest, first: number): Block {
  const named = (output: OutputName) =>
    Object.fromEntries(
      manifest.scored.flatMap((name, index) => {
        const tensor = tensors.get(`${output}.${index}`)
        return tensor ? [[name, tensor]] : []
      }),
    )
  const perTarget = (key: (typeof PER_TARGET)[number]) => tensors.get(key) as Tensor<Float64Array>
  const completeness = perTarget('completeness')
  return {
    first,
    contributions: named('contributions'),
    hypothetical: named('hypothetical'),
    multipliers: named('multipliers'),
    perReference: named('perReference'),
    output: perTarget('output'),
    referenceOutput: perTarget('referenceOutput'),
    delta: perTarget('delta'),
    completeness,
    worstCompleteness: worstOf(completeness.data),
    codes: tensors.get(CODES) as unknown as Tensor<Uint8Array>,
  }
}

/**
 * Reads a block to its end.
 *
 * @throws {DeepLiftError} as {@link readBlock}
 */
export async function checkBlock(folder: string, manifest: Manifest, block: number): Promise<void> {
  const pieces = readBlock(folder, manifest, block)
  while (!(await pieces.next()).done);
}

/** How many of the examples have an unknown base. */
export function countUnknown({ data, shape }: Tensor<Uint8Array>): number {
  const [examples, length] = shape as [number, number]
  let count = 0
  for (let example = 0; example < examples; example++)
    if (data.subarray(example * length, (example + 1) * length).includes(UNKNOWN_BASE)) count++
  return count
}
