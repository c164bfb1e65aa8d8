/** Batches of scores as rows for the formats of the field: one input that takes sequences, one target. */

import { DeepLiftError } from '../../errors.js'
import {
  inOrder,
  LETTERS,
  type LetterAxis,
  letterAxis,
  oneHotOfCodes,
  project,
  type RowsWriter,
  type Site,
  sumOverLetters,
} from '../../formats/rows.js'
import type { ScoreBatch } from '../../stream.js'
import type { Tensor } from '../../tensor.js'
import type { ScoredRecord, Sink } from './sink.js'

export class SequenceRowsSink implements Sink {
  /** @param format Named in errors. */
  constructor(
    private readonly writer: RowsWriter,
    private readonly format: string,
  ) {}

  get paths(): readonly string[] {
    return this.writer.paths
  }

  async write(batch: ScoreBatch<ScoredRecord>): Promise<void> {
    const { needs } = this.writer
    const [entry, other] = Object.entries(needs.hypothetical ? batch.hypothetical : batch.contributions)
    if (!entry || other) throw this.#refuse('it holds one input that takes sequences')
    const [name, scores] = entry
    const letters = letterAxis(scores.shape)
    if (!letters) throw this.#refuse('it holds one target, of a model of sequences')
    const { axis, length } = letters
    const inputs = batch.records.map((record) => record.inputs[name])
    if (!inputs.every((input) => input !== undefined))
      throw this.#refuse('it holds scores of sequences, not of layers')
    const oneHot = oneHotOf(inputs as Tensor[], axis, length)
    const values = inOrder(scores.data, axis, length)
    await this.writer.write({
      length,
      oneHot,
      hypothetical: needs.hypothetical ? values : undefined,
      projected: needs.hypothetical
        ? project(oneHot, values, length)
        : sumOverLetters(oneHot, values, length),
      sites: needs.sites ? this.#sitesOf(batch.records) : undefined,
    })
  }

  #sitesOf(records: readonly ScoredRecord[]): Site[] {
    return records.map(({ region }) => {
      if (!region) throw this.#refuse('it says where on a genome each score lies, which takes --bed')
      return region
    })
  }

  #refuse(why: string): DeepLiftError {
    return new DeepLiftError(
      'INVALID_OPTION',
      `--format ${this.format}: ${why}; use --format npz --hypothetical.`,
    )
  }

  async finish(): Promise<void> {
    await this.writer.finish()
  }

  async abort(): Promise<void> {
    await this.writer.abort()
  }
}

function oneHotOf(inputs: readonly Tensor[], axis: LetterAxis, length: number): Int8Array {
  const out = new Int8Array(inputs.length * LETTERS * length)
  for (const [example, { data }] of inputs.entries())
    out.set(
      data instanceof Uint8Array ? oneHotOfCodes(data, length) : Int8Array.from(inOrder(data, axis, length)),
      example * LETTERS * length,
    )
  return out
}
