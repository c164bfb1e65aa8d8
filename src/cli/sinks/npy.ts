/** One .npy array: the contributions of the only input; `FILE.json` beside it tells how they were made. */

import { DeepLiftError } from '../../errors.js'
import { checkHalves } from '../../formats/halves.js'
import { writeText } from '../../io/files.js'
import { NpyWriter } from '../../io/npy-write.js'
import type { ScoredBatch, Sink, SinkContext } from './sink.js'

export class NpySink implements Sink {
  readonly paths: readonly string[]
  #writer: NpyWriter | undefined

  constructor(private readonly context: SinkContext) {
    this.paths = [context.out, `${context.out}.json`]
  }

  async write({ contributions }: ScoredBatch): Promise<void> {
    const [tensor, other] = Object.values(contributions)
    if (!tensor || other)
      throw new DeepLiftError(
        'INVALID_OPTION',
        '--format npy holds the contributions of one input; this model has several: use --format npz.',
      )
    const { data, shape } = tensor
    const { float16 } = this.context
    const dtype = data instanceof Float64Array ? 'float64' : float16 ? 'float16' : 'float32'
    if (dtype === 'float16') checkHalves(data, this.context.out)
    this.#writer ??= await NpyWriter.create(this.context.out, dtype, shape.slice(1))
    await this.#writer.write(data)
  }

  async finish(): Promise<void> {
    await writeText(this.paths[1]!, `${this.context.provenance}\n`)
    await this.#writer!.finish()
  }

  async abort(): Promise<void> {
    await this.#writer?.abort()
  }
}
