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
import type { NpyArray } from '../../io/npy-read.js'
import { readNpz } from '../../io/npz-read.js'
import { NpzWriter } from '../../io/npz-write.js'
import type { FloatArray } from '../../native.js'
import type { OutputName } from '../../options/score-options.js'
import { worstOf } from '../../progress.js'
import type { ScoreBatch } from '../../stream.js'
import type { Tensor } from '../../tensor.js'
import type { ScoredRecord } from '../sinks/sink.js'
import type { Manifest } from './manifest.js'

export const BLOCKS = 'blocks'

const PER_TARGET = ['output', 'referenceOutput', 'delta', 'completeness'] as const

/** The scores of a batch without its records. */
export type BlockScores = Omit<ScoreBatch<ScoredRecord>, 'records' | 'warnings'>

export interface Block extends BlockScores {
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

/** Gathers the batches of one block in memory, and writes them at once. */
export class BlockWriter {
  readonly #arrays = new Map<string, NpyArray>()
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
  add(batch: ScoreBatch<ScoredRecord>, from: number, to: number): void {
    for (const [key, tensor] of arraysOf(batch, this.manifest)) this.#add(key, tensor, from, to)
    const { input, length } = this.manifest
    const codes = this.#array('codes', 'uint8', [length], () => new Uint8Array(this.#rows * length))
    for (let example = from; example < to; example++) {
      const { data } = batch.records[example]!.inputs[input] as Tensor<Uint8Array>
      codes.set(data, (this.#filled + example - from) * length)
    }
    this.#filled += to - from
  }

  #add(key: string, { data, shape }: Tensor<FloatArray>, from: number, to: number): void {
    const rowShape = shape.slice(1)
    const row = data.length / shape[0]!
    const double = data instanceof Float64Array
    const length = this.#rows * row
    const all = this.#array(key, double ? 'float64' : 'float32', rowShape, () =>
      double ? new Float64Array(length) : new Float32Array(length),
    )
    all.set(data.subarray(from * row, to * row), this.#filled * row)
  }

  #array<T extends FloatArray | Uint8Array>(
    key: string,
    dtype: 'float32' | 'float64' | 'uint8',
    rowShape: readonly number[],
    create: () => T,
  ): T {
    const array = this.#arrays.get(key) ?? { dtype, shape: [this.#rows, ...rowShape], data: create() }
    this.#arrays.set(key, array)
    return array.data as T
  }

  async finish(): Promise<void> {
    const writer = await NpzWriter.create(blockPath(this.folder, this.block), [])
    try {
      writer.put('job', { dtype: 'string', shape: [1], data: [this.manifest.id] })
      for (const [key, array] of this.#arrays) writer.put(key, array)
      await writer.finish()
    } catch (error) {
      await writer.abort()
      throw error
    }
  }
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

/** @throws {DeepLiftError} FILE_FORMAT for a damaged block, and for one of another job; FILE_NOT_FOUND */
export async function readBlock(folder: string, manifest: Manifest, block: number): Promise<Block> {
  const path = blockPath(folder, block)
  const { job, codes, ...arrays } = await readNpz(path)
  const { first, end } = blockRange(manifest, block)
  const wrong = (problem: string) =>
    new DeepLiftError('FILE_FORMAT', `${path}: ${problem}.`, { details: { path } })
  if ((job?.data as string[] | undefined)?.[0] !== manifest.id) throw wrong('it belongs to another job')
  const odd = [codes, ...Object.values(arrays)].find((array) => array?.shape[0] !== end - first)
  if (odd || PER_TARGET.some((key) => !arrays[key])) throw wrong(`it does not hold ${end - first} examples`)
  const named = (output: OutputName) =>
    Object.fromEntries(
      manifest.scored.flatMap((name, index) => {
        const array = arrays[`${output}.${index}`]
        return array ? [[name, array as Tensor<FloatArray>]] : []
      }),
    )
  const perTarget = (key: string) => arrays[key] as Tensor<Float64Array>
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
    codes: codes as Tensor<Uint8Array>,
  }
}

/** How many of the examples have an unknown base. */
export function countUnknown({ data, shape }: Tensor<Uint8Array>): number {
  const [examples, length] = shape as [number, number]
  let count = 0
  for (let example = 0; example < examples; example++)
    if (data.subarray(example * length, (example + 1) * length).includes(UNKNOWN_BASE)) count++
  return count
}
