/** Summaries of a bigWig at lower resolutions: minimum, maximum and sums of the values in each bin. */

import { promisify } from 'node:util'
import { deflate } from 'node:zlib'
import { BlockList } from './bigwig-trees.js'
import { OutputFile } from './files.js'

const RECORD_BYTES = 32
const RECORDS_PER_BLOCK = 512
export const ZOOM_BLOCK_BYTES = RECORD_BYTES * RECORDS_PER_BLOCK

const compress = promisify(deflate) as (bytes: Uint8Array) => Promise<Buffer>

/** What is known of some bases of one chromosome. */
export class Summary {
  count = 0
  minimum = Number.POSITIVE_INFINITY
  maximum = Number.NEGATIVE_INFINITY
  sum = 0
  squares = 0

  clear(): void {
    this.count = 0
    this.minimum = Number.POSITIVE_INFINITY
    this.maximum = Number.NEGATIVE_INFINITY
    this.sum = 0
    this.squares = 0
  }

  add(value: number): void {
    this.count++
    if (value < this.minimum) this.minimum = value
    if (value > this.maximum) this.maximum = value
    this.sum += value
    this.squares += value * value
  }

  merge(other: Summary): void {
    this.count += other.count
    this.minimum = Math.min(this.minimum, other.minimum)
    this.maximum = Math.max(this.maximum, other.maximum)
    this.sum += other.sum
    this.squares += other.squares
  }
}

/**
 * One resolution. Its records wait in a temporary file for the data before them to be complete; each full bin goes on
 * to the next coarser level.
 */
export class ZoomLevel {
  readonly blocks = new BlockList()
  records = 0
  /** The bin being filled; nothing is in it while its summary counts nothing. */
  readonly #bin = { index: 0, chrom: 0, start: 0, end: 0, summary: new Summary() }
  #block = Buffer.alloc(ZOOM_BLOCK_BYTES)
  #inBlock = 0
  #first: { chrom: number; start: number } | undefined
  readonly #last = { chrom: 0, end: 0 }
  /** Full blocks that are not written yet. */
  readonly #full: { bytes: Buffer; place: [number, number, number, number] }[] = []

  private constructor(
    readonly reduction: number,
    private readonly file: OutputFile,
    private readonly coarser: ZoomLevel | undefined,
  ) {}

  static async create(path: string, reduction: number, coarser: ZoomLevel | undefined): Promise<ZoomLevel> {
    return new ZoomLevel(reduction, await OutputFile.create(`${path}.${reduction}`), coarser)
  }

  /** Adds bases `[start, end)` that lie in one bin, behind all added before. */
  add(chrom: number, start: number, end: number, summary: Summary): void {
    const index = Math.floor(start / this.reduction)
    const bin = this.#bin
    if (bin.index !== index || bin.chrom !== chrom) this.#close()
    if (bin.summary.count === 0) {
      bin.index = index
      bin.chrom = chrom
      bin.start = start
    }
    bin.end = end
    bin.summary.merge(summary)
  }

  #close(): void {
    const { chrom, start, end, summary } = this.#bin
    if (summary.count === 0) return
    this.coarser?.add(chrom, start, end, summary)
    const at = this.#inBlock * RECORD_BYTES
    const block = this.#block
    block.writeUInt32LE(chrom, at)
    block.writeUInt32LE(start, at + 4)
    block.writeUInt32LE(end, at + 8)
    block.writeUInt32LE(summary.count, at + 12)
    block.writeFloatLE(summary.minimum, at + 16)
    block.writeFloatLE(summary.maximum, at + 20)
    block.writeFloatLE(summary.sum, at + 24)
    block.writeFloatLE(summary.squares, at + 28)
    summary.clear()
    this.#first ??= { chrom, start }
    this.#last.chrom = chrom
    this.#last.end = end
    this.records++
    if (++this.#inBlock === RECORDS_PER_BLOCK) this.#endBlock()
  }

  #endBlock(): void {
    if (!this.#first) return
    const { chrom, start } = this.#first
    const place: [number, number, number, number] = [chrom, start, this.#last.chrom, this.#last.end]
    this.#full.push({ bytes: this.#block.subarray(0, this.#inBlock * RECORD_BYTES), place })
    this.#block = Buffer.alloc(ZOOM_BLOCK_BYTES)
    this.#inBlock = 0
    this.#first = undefined
  }

  /** Writes what is full. Levels are flushed from the finest to the coarsest. */
  async flush(): Promise<void> {
    const full = this.#full.splice(0)
    const packed = await Promise.all(full.map(({ bytes }) => compress(bytes)))
    for (const [index, bytes] of packed.entries()) {
      this.blocks.push(...full[index]!.place, this.file.size, bytes.length)
      await this.file.append(bytes)
    }
  }

  /** Writes the rest; then the next coarser level has all of its bins. */
  async complete(): Promise<void> {
    this.#close()
    this.#endBlock()
    await this.flush()
  }

  /** The written blocks, in order. Each piece is overwritten by the next. */
  bytes(): AsyncGenerator<Uint8Array> {
    return this.file.pieces()
  }

  async discard(): Promise<void> {
    await this.file.discard()
  }
}
