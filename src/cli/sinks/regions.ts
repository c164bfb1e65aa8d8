/** The rows of a BED file that have results, as they stand in it, in their order: `--peaks` of what reads scores. */

import { OutputFile } from '../../io/files.js'
import type { ScoredRecord, Sink } from './sink.js'

export class RegionsSink implements Sink<{ records: readonly ScoredRecord[] }> {
  readonly paths: readonly string[]
  #file: OutputFile | undefined

  constructor(private readonly path: string) {
    this.paths = [path]
  }

  async write({ records }: { records: readonly ScoredRecord[] }): Promise<void> {
    this.#file ??= await OutputFile.create(this.path)
    const rows = records.flatMap(({ region }) => (region ? [`${region.row.text}\n`] : []))
    await this.#file.append(Buffer.from(rows.join('')))
  }

  async finish(): Promise<void> {
    await this.#file?.commit()
  }

  async abort(): Promise<void> {
    await this.#file?.discard()
  }
}
