/**
 * What `modisco motifs -s PREFIX.ohe.npz -a PREFIX.attr.npz` reads: one-hot sequences (int8) and hypothetical
 * contributions, both `(N, 4, length)` under the key `arr_0`; beside it `provenance`, a JSON text.
 */

import { rm } from 'node:fs/promises'
import { NpzWriter } from '../io/npz-write.js'
import { checkHalves } from './halves.js'
import { type FileOptions, LETTERS, type RowsWriter, type SequenceRows } from './rows.js'

const KEY = 'arr_0'

export class ModiscoWriter implements RowsWriter {
  readonly paths: readonly string[]
  readonly needs = { hypothetical: true, sites: false }
  readonly #writers: NpzWriter[] = []

  constructor(
    prefix: string,
    private readonly options: FileOptions,
  ) {
    this.paths = [`${prefix}.ohe.npz`, `${prefix}.attr.npz`]
  }

  async write({ oneHot, hypothetical, length }: SequenceRows): Promise<void> {
    if (this.#writers.length === 0) await this.#open(length)
    if (this.options.float16) checkHalves(hypothetical!, this.paths[1]!)
    const [letters, scores] = this.#writers
    await letters!.append(KEY, oneHot)
    await scores!.append(KEY, hypothetical!)
  }

  async #open(length: number): Promise<void> {
    const { compress = false, float16, provenance } = this.options
    const rowShape = [LETTERS, length]
    const dtypes = ['int8', float16 ? 'float16' : 'float32'] as const
    for (const [index, dtype] of dtypes.entries()) {
      const writer = await NpzWriter.create(this.paths[index]!, [{ key: KEY, dtype, rowShape }], { compress })
      this.#writers.push(writer)
      writer.put('provenance', { dtype: 'string', shape: [], data: [provenance] })
    }
  }

  async finish(): Promise<void> {
    const [letters, scores] = this.#writers
    await letters!.finish()
    try {
      await scores!.finish()
    } catch (error) {
      await rm(this.paths[0]!, { force: true })
      throw error
    }
  }

  async abort(): Promise<void> {
    for (const writer of this.#writers) await writer.abort()
  }
}
