/**
 * Writes a .npy file of texts that grows.
 *
 * NumPy pads texts to the longest, which is known in the end: until then they wait in a temporary file of UTF-32, each
 * behind its length, so that memory does not grow with their number.
 */

import { createReadStream } from 'node:fs'
import { OutputFile } from './files.js'
import { formatHeader } from './npy-header.js'

/** Code points that are written or read at once. */
const AT_ONCE = 1 << 16

/** A file that stays under its temporary name, for a caller that takes it from there; call `abort` in the end. */
export class NpyTextWriter {
  #rows = 0
  /** NumPy has no texts of width 0. */
  #width = 1
  #pending: number[] = []

  private constructor(
    private readonly file: OutputFile,
    private readonly waiting: OutputFile,
  ) {}

  static async create(path: string): Promise<NpyTextWriter> {
    const file = await OutputFile.create(path)
    try {
      return new NpyTextWriter(file, await OutputFile.create(`${path}.texts`))
    } catch (error) {
      await file.discard()
      throw error
    }
  }

  get temporaryPath(): string {
    return this.file.temporaryPath
  }

  async write(texts: readonly string[]): Promise<void> {
    for (const text of texts) {
      const length = this.#pending.push(0)
      for (const character of text) this.#pending.push(character.codePointAt(0)!)
      this.#pending[length - 1] = this.#pending.length - length
      this.#width = Math.max(this.#width, this.#pending.length - length)
      this.#rows++
      if (this.#pending.length >= AT_ONCE) await this.#flush()
    }
  }

  async #flush(): Promise<void> {
    await this.waiting.append(new Uint8Array(Uint32Array.from(this.#pending.splice(0)).buffer))
  }

  /** Writes the texts, all of one width. */
  async complete(): Promise<void> {
    await this.#flush()
    await this.waiting.close()
    const itemSize = 4 * this.#width
    await this.file.append(
      formatHeader({ dtype: 'string', itemSize, fortranOrder: false, shape: [this.#rows] }),
    )
    const rowsAtOnce = Math.ceil(AT_ONCE / this.#width)
    const padded = new Uint32Array(Math.min(rowsAtOnce, this.#rows) * this.#width)
    let [row, column, left] = [0, 0, 0]
    for await (const codePoints of this.#codePoints())
      for (const codePoint of codePoints) {
        if (left === 0) left = codePoint
        else {
          padded[row * this.#width + column++] = codePoint
          left--
        }
        if (left > 0) continue
        column = 0
        if (++row < rowsAtOnce) continue
        await this.file.append(new Uint8Array(padded.buffer))
        padded.fill(0)
        row = 0
      }
    await this.file.append(new Uint8Array(padded.buffer, 0, row * itemSize))
  }

  async *#codePoints(): AsyncGenerator<Uint32Array> {
    let rest = Buffer.alloc(0)
    for await (const chunk of createReadStream(this.waiting.temporaryPath, { highWaterMark: 4 * AT_ONCE })) {
      const bytes = Buffer.concat([rest, chunk as Buffer])
      const whole = bytes.length - (bytes.length % 4)
      yield new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + whole))
      rest = bytes.subarray(whole)
    }
  }

  /** Removes what was written. Safe to call at any time, any number of times. */
  async abort(): Promise<void> {
    await this.waiting.discard()
    await this.file.discard()
  }
}
