/** Batches of scores as rows for the formats of the field: one input that takes sequences, one target. */

import { DeepLiftError } from '../../errors.js'
import { LETTERS, lettersFirst, project, type RowsWriter, type Site } from '../../formats/rows.js'
import type { FloatArray } from '../../native.js'
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
    const { layout, length } = this.#layoutOf(scores)
    const inputs = batch.records.map((record) => record.inputs[name])
    if (!inputs.every((input) => input !== undefined))
      throw this.#refuse('it holds scores of sequences, not of layers')
    const oneHot = oneHotOf(inputs as Tensor[], layout, length)
    const values = firstOf(scores.data, layout, length)
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

  /** Axes of extent 1, of two-dimensional exports, do not count. */
  #layoutOf({ shape }: Tensor<FloatArray>): { layout: LetterAxis; length: number } {
    const axes = shape.slice(1).filter((extent) => extent !== 1)
    if (axes.length !== 2 || !axes.includes(LETTERS))
      throw this.#refuse('it holds one target, of a model of sequences')
    return axes[0] === LETTERS ? { layout: 'first', length: axes[1]! } : { layout: 'last', length: axes[0]! }
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

type LetterAxis = 'first' | 'last'

function firstOf(values: ArrayLike<number>, layout: LetterAxis, length: number): Float32Array {
  const floats = Float32Array.from(values)
  return layout === 'first' ? floats : lettersFirst(floats, length)
}

function oneHotOf(inputs: readonly Tensor[], layout: LetterAxis, length: number): Int8Array {
  const out = new Int8Array(inputs.length * LETTERS * length)
  for (const [example, { data }] of inputs.entries()) {
    const start = example * LETTERS * length
    if (data instanceof Uint8Array) {
      for (const [position, code] of data.entries())
        if (code < LETTERS) out[start + code * length + position] = 1
    } else out.set(Int8Array.from(firstOf(data, layout, length)), start)
  }
  return out
}

/** The sum of contributions over letters is that of the letter that is there; at unknown bases there is none. */
function sumOverLetters(oneHot: Int8Array, contributions: Float32Array, length: number): Float32Array {
  const out = new Float32Array(oneHot.length / LETTERS)
  const size = LETTERS * length
  for (let start = 0, row = 0; start < oneHot.length; start += size, row += length)
    for (let position = 0; position < length; position++) {
      let sum = 0
      let known = 0
      for (let at = start + position; at < start + size; at += length) {
        sum += contributions[at]!
        known |= oneHot[at]!
      }
      if (known !== 0) out[row + position] = sum
    }
  return out
}
