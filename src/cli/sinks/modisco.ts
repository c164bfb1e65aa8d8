/**
 * What `modisco motifs -s PREFIX.ohe.npz -a PREFIX.attr.npz` reads: one-hot sequences (int8) and hypothetical
 * contributions (float32), both `(N, 4, length)` under the key `arr_0`.
 */

import { DeepLiftError } from '../../errors.js'
import { NpzWriter } from '../../io/npz-write.js'
import type { FloatArray } from '../../native.js'
import type { ScoreBatch } from '../../stream.js'
import type { Tensor } from '../../tensor.js'
import type { ScoredRecord, Sink } from './sink.js'

const LETTERS = 4

export class ModiscoSink implements Sink {
  readonly paths: readonly string[]
  #writers: { oneHot: NpzWriter; hypothetical: NpzWriter } | undefined

  constructor(prefix: string) {
    this.paths = [`${prefix}.ohe.npz`, `${prefix}.attr.npz`]
  }

  async write({ hypothetical, records }: ScoreBatch<ScoredRecord>): Promise<void> {
    const [entry, other] = Object.entries(hypothetical)
    if (!entry || other) throw refuse('it holds one input that takes sequences')
    const [name, scores] = entry
    const { layout, length } = layoutOf(scores)
    if (!this.#writers) {
      const rowShape = [LETTERS, length]
      const [oneHotPath, hypotheticalPath] = this.paths as [string, string]
      const oneHot = await NpzWriter.create(oneHotPath, [{ key: 'arr_0', dtype: 'int8', rowShape }])
      try {
        const rows = [{ key: 'arr_0', dtype: 'float32', rowShape } as const]
        this.#writers = { oneHot, hypothetical: await NpzWriter.create(hypotheticalPath, rows) }
      } catch (error) {
        await oneHot.abort()
        throw error
      }
    }
    const inputs = records.map(({ inputs }) => inputs[name] as Tensor)
    await this.#writers.oneHot.append('arr_0', oneHotOf(inputs, layout, length))
    await this.#writers.hypothetical.append('arr_0', lettersFirst(scores.data, layout, length))
  }

  async finish(): Promise<void> {
    await this.#writers!.oneHot.finish()
    try {
      await this.#writers!.hypothetical.finish()
    } catch (error) {
      const { rm } = await import('node:fs/promises')
      await rm(this.paths[0]!, { force: true })
      throw error
    }
  }

  async abort(): Promise<void> {
    await this.#writers?.oneHot.abort()
    await this.#writers?.hypothetical.abort()
  }
}

type LetterAxis = 'first' | 'last'

/** Axes of extent 1, of two-dimensional exports, do not count. */
function layoutOf({ shape }: Tensor<FloatArray>): { layout: LetterAxis; length: number } {
  const axes = shape.slice(1).filter((extent) => extent !== 1)
  if (axes.length !== 2 || !axes.includes(LETTERS))
    throw refuse('it holds one target, of a model of sequences')
  return axes[0] === LETTERS ? { layout: 'first', length: axes[1]! } : { layout: 'last', length: axes[0]! }
}

function refuse(why: string): DeepLiftError {
  return new DeepLiftError('INVALID_OPTION', `--format modisco: ${why}; use --format npz --hypothetical.`)
}

/** `(n, 4, length)` from values of either layout. */
function lettersFirst(values: ArrayLike<number>, layout: LetterAxis, length: number): Float32Array {
  const out = Float32Array.from(values)
  if (layout === 'first') return out
  const size = LETTERS * length
  for (let start = 0; start < out.length; start += size)
    for (let position = 0; position < length; position++)
      for (let letter = 0; letter < LETTERS; letter++)
        out[start + letter * length + position] = values[start + position * LETTERS + letter]!
  return out
}

function oneHotOf(inputs: readonly Tensor[], layout: LetterAxis, length: number): Int8Array {
  const out = new Int8Array(inputs.length * LETTERS * length)
  for (const [example, { data }] of inputs.entries()) {
    const start = example * LETTERS * length
    if (data instanceof Uint8Array) {
      for (const [position, code] of data.entries())
        if (code < LETTERS) out[start + code * length + position] = 1
    } else out.set(Int8Array.from(lettersFirst(data, layout, length)), start)
  }
  return out
}
