/** One .npy array: the contributions of the only input, and nothing else. */

import { DeepLiftError } from '../../errors.js'
import { NpyWriter } from '../../io/npy-write.js'
import type { ScoreBatch } from '../../stream.js'
import type { ScoredRecord, Sink } from './sink.js'

export class NpySink implements Sink {
  readonly paths: readonly string[]
  #writer: NpyWriter | undefined

  constructor(private readonly path: string) {
    this.paths = [path]
  }

  async write({ contributions }: ScoreBatch<ScoredRecord>): Promise<void> {
    const [tensor, other] = Object.values(contributions)
    if (!tensor || other)
      throw new DeepLiftError(
        'INVALID_OPTION',
        '--format npy holds the contributions of one input; this model has several: use --format npz.',
      )
    const { data, shape } = tensor
    const dtype = data instanceof Float64Array ? 'float64' : 'float32'
    this.#writer ??= await NpyWriter.create(this.path, dtype, shape.slice(1))
    await this.#writer.write(data)
  }

  async finish(): Promise<void> {
    await this.#writer!.finish()
  }

  async abort(): Promise<void> {
    await this.#writer?.abort()
  }
}
