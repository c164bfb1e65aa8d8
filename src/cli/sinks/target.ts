/** One target of several, for formats that hold one: each has files of its own. */

import { valuesOfTarget } from '../../formats/targets.js'
import type { FloatArray } from '../../native.js'
import type { OutputName } from '../../options/score-options.js'
import type { Tensor } from '../../tensor.js'
import type { ScoredBatch, Sink } from './sink.js'

export class TargetSink implements Sink {
  constructor(
    private readonly sink: Sink,
    private readonly target: number,
  ) {}

  get paths(): readonly string[] {
    return this.sink.paths
  }

  async write(batch: ScoredBatch): Promise<void> {
    const named = (output: OutputName) =>
      Object.fromEntries(Object.entries(batch[output]).map(([name, tensor]) => [name, this.#of(tensor)]))
    await this.sink.write({
      ...batch,
      contributions: named('contributions'),
      hypothetical: named('hypothetical'),
      multipliers: named('multipliers'),
      perReference: named('perReference'),
    })
  }

  #of({ data, shape }: Tensor<FloatArray>): Tensor<FloatArray> {
    const [rows = 0, , ...rest] = shape
    return { data: valuesOfTarget(data, shape, this.target), shape: [rows, ...rest] }
  }

  async finish(): Promise<void> {
    await this.sink.finish()
  }

  async abort(): Promise<void> {
    await this.sink.abort()
  }
}
