/** Tables: lines of tab-separated cells, in a file that has its name only once it is complete. */

import { OutputFile } from '../io/files.js'

export type Cell = string | number

/** Rows are written at once when they are longer than this. */
const BYTES_PER_WRITE = 1 << 20

export class TableFile {
  #pending = ''

  private constructor(private readonly file: OutputFile) {}

  static async create(path: string): Promise<TableFile> {
    return new TableFile(await OutputFile.create(path))
  }

  async write(cells: readonly Cell[]): Promise<void> {
    this.#pending += `${cells.join('\t')}\n`
    if (this.#pending.length > BYTES_PER_WRITE) await this.#flush()
  }

  async #flush(): Promise<void> {
    await this.file.append(Buffer.from(this.#pending))
    this.#pending = ''
  }

  async commit(): Promise<void> {
    await this.#flush()
    await this.file.commit()
  }

  async discard(): Promise<void> {
    await this.file.discard()
  }
}
