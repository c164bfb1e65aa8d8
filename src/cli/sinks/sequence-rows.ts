/** Batches of scores as rows for the formats of the field: the input that takes sequences, one target. */

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
import type { Tensor } from '../../tensor.js'
import type { ScoredBatch, ScoredRecord, Sink } from './sink.js'

export class SequenceRowsSink implements Sink {
  /** @param format Named in errors. */
  constructor(
    private readonly writer: RowsWriter,
    private readonly format: string,
  ) {}

  get paths(): readonly string[] {
    return this.writer.paths
  }

  async write(batch: ScoredBatch): Promise<void> {
    const { needs } = this.writer
    const scored = Object.entries(needs.hypothetical ? batch.hypothetical : batch.contributions)
    // Others, such as the control tracks of BPNet, have no letters.
    const lettered = scored.filter(([name, { shape }]) => letterAxis(shape) && inputsOf(batch, name))
    const [entry, other] = lettered
    if (!entry) throw this.#refuse('it holds scores of an input that takes sequences')
    if (other) throw this.#refuse('it holds one input that takes sequences')
    const [name, scores] = entry
    const { axis, length } = letterAxis(scores.shape)!
    const inputs = inputsOf(batch, name)!
    const oneHot = oneHotOf(inputs, axis, length)
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

/** The tensors of an input; undefined for layers. */
function inputsOf({ records }: ScoredBatch, name: string): Tensor[] | undefined {
  const inputs = records.flatMap(({ inputs }) => (inputs[name] ? [inputs[name] as Tensor] : []))
  return inputs.length === records.length ? inputs : undefined
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
