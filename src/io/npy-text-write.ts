/**
 * Writes a .npy file of texts that grows.
 *
 * NumPy pads texts to the longest, which is known in the end: until then they wait in a temporary file of UTF-32, each
 * behind its length, so that memory does not grow with their number.
 */

import { OutputFile } from './files.js'
import { formatHeader } from './npy-header.js'

/** Code points that are written or read at once. */
const AT_ONCE = 1 << 16

/** Texts on their way to a file; call `abort` in the end. */
export class NpyTextWriter {
  #rows = 0
  /** NumPy has no texts of width 0. */
  #width = 1
  #pending: number[] = []

  private constructor(private readonly waiting: OutputFile) {}

  static async create(path: string): Promise<NpyTextWriter> {
    return new NpyTextWriter(await OutputFile.create(`${path}.texts`))
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

  /** The .npy file, in which all texts have one width. Each piece is overwritten by the next. */
  async *file(): AsyncGenerator<Uint8Array> {
    await this.#flush()
    const itemSize = 4 * this.#width
    yield formatHeader({ dtype: 'string', itemSize, fortranOrder: false, shape: [this.#rows] })
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
        yield new Uint8Array(padded.buffer)
        padded.fill(0)
        row = 0
      }
    yield new Uint8Array(padded.buffer, 0, row * itemSize)
  }

  async *#codePoints(): AsyncGenerator<Uint32Array> {
    let rest = Buffer.alloc(0)
    for await (const piece of this.waiting.pieces()) {
      const bytes = Buffer.concat([rest, piece])
      const whole = bytes.length - (bytes.length % 4)
      yield new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + whole))
      rest = bytes.subarray(whole)
    }
  }

  /** Removes what was written. Safe to call at any time, any number of times. */
  async abort(): Promise<void> {
    await this.waiting.discard()
  }
}
