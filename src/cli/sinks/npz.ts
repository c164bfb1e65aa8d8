/**
 * One .npz archive: `contributions`, `output`, `reference_output`, `delta`, `completeness`; on request `hypothetical`,
 * `multipliers`, `per_reference`; `sequences`, base codes, where they came as letters or codes; `names`; `provenance`, a
 * JSON text. With several inputs or layers, `contributions.NAME` and so on.
 */

import { checkHalves } from '../../formats/halves.js'
import { type NpzRows, NpzWriter } from '../../io/npz-write.js'
import type { FloatArray } from '../../native.js'
import type { OutputName } from '../../options/score-options.js'
import type { Tensor } from '../../tensor.js'
import type { ScoredBatch, ScoredRecord, Sink, SinkContext } from './sink.js'

type Values = FloatArray | Uint8Array

const NAMES = 'names'

const KEYS: Record<OutputName, string> = {
  contributions: 'contributions',
  hypothetical: 'hypothetical',
  multipliers: 'multipliers',
  perReference: 'per_reference',
}

/** Scores. */
export function createScoreArchive(context: SinkContext): Sink {
  return new ArchiveSink(context, (batch: ScoredBatch) => arraysOf(batch, context.several))
}

/** The arrays of a batch by their key in the archive. */
function arraysOf(batch: ScoredBatch, several: boolean): Map<string, Tensor<Values>> {
  const arrays = new Map<string, Tensor<Values>>()
  for (const [output, key] of Object.entries(KEYS) as [OutputName, string][])
    for (const [name, tensor] of Object.entries(batch[output]))
      arrays.set(several ? `${key}.${name}` : key, tensor)
  arrays.set('output', batch.output)
  arrays.set('reference_output', batch.referenceOutput)
  arrays.set('delta', batch.delta)
  arrays.set('completeness', batch.completeness)
  // Where one input alone is scored.
  const [name = '', other] = Object.keys(batch.contributions)
  const sequences = other === undefined ? sequencesOf(batch.records, name) : undefined
  if (sequences) arrays.set('sequences', sequences)
  return arrays
}

/** The base codes that records bring for an input, if all have some. */
export function sequencesOf(records: readonly ScoredRecord[], input: string): Tensor<Uint8Array> | undefined {
  const rows = records.flatMap(({ inputs }) => {
    const data = inputs[input]?.data
    return data instanceof Uint8Array ? [data] : []
  })
  if (rows.length < records.length) return undefined
  const length = rows[0]!.length
  const data = new Uint8Array(rows.length * length)
  for (const [index, row] of rows.entries()) data.set(row, index * length)
  return { data, shape: [rows.length, length] }
}

export interface ArchiveContext {
  out: string
  provenance: string
  compress?: boolean
  float16?: boolean
}

/** An archive with one key per array of a batch, `names` of examples that have some, and `provenance`. */
export class ArchiveSink<B extends { records: readonly ScoredRecord[] }> implements Sink<B> {
  readonly paths: readonly string[]
  #writer: NpzWriter | undefined
  #named = false

  constructor(
    private readonly context: ArchiveContext,
    private readonly arraysOf: (batch: B) => ReadonlyMap<string, Tensor<Values>>,
  ) {
    this.paths = [context.out]
  }

  async write(batch: B): Promise<void> {
    const arrays = this.arraysOf(batch)
    // Shapes are known from the first batch on, and whether examples have names.
    this.#writer ??= await this.#create(arrays, batch.records[0]?.name !== undefined)
    for (const [key, { data }] of arrays) {
      if (this.#dtypeOf(data) === 'float16') checkHalves(data as FloatArray, this.context.out)
      await this.#writer.append(key, data)
    }
    if (this.#named)
      await this.#writer.append(
        NAMES,
        batch.records.map(({ name = '' }) => name),
      )
  }

  async #create(arrays: ReadonlyMap<string, Tensor<Values>>, named: boolean): Promise<NpzWriter> {
    this.#named = named
    const rows: NpzRows[] = [...arrays].map(([key, { data, shape }]) => ({
      key,
      dtype: this.#dtypeOf(data),
      rowShape: shape.slice(1),
    }))
    if (named) rows.push({ key: NAMES, dtype: 'string', rowShape: [] })
    return await NpzWriter.create(this.context.out, rows, { compress: this.context.compress ?? false })
  }

  /** Scores shrink to half precision on request; outputs, and scores in double precision, keep theirs. */
  #dtypeOf(data: Values): 'float16' | 'float32' | 'float64' | 'uint8' {
    if (data instanceof Uint8Array) return 'uint8'
    if (data instanceof Float64Array) return 'float64'
    return this.context.float16 ? 'float16' : 'float32'
  }

  async finish(): Promise<void> {
    const { provenance } = this.context
    this.#writer!.put('provenance', { dtype: 'string', shape: [], data: [provenance] })
    await this.#writer!.finish()
  }

  async abort(): Promise<void> {
    await this.#writer?.abort()
  }
}
