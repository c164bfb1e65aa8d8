/**
 * Writes bigWig files (version 4) of one value per base, from front to back of the genome.
 *
 * The index of chromosomes comes before the data and there are up to ten levels of zoom, which the WashU and the
 * IGV browsers need. Memory is that of the index. Equal contents give equal bytes.
 *
 * Format: Kent et al. 2010, BigWig and BigBed, supplementary tables 5 to 19.
 */

import { promisify } from 'node:util'
import { deflate } from 'node:zlib'
import { DeepLiftError } from '../errors.js'
import { BlockList, chromosomeTree } from './bigwig-trees.js'
import { Summary, ZOOM_BLOCK_BYTES, ZoomLevel } from './bigwig-zoom.js'
import { OutputFile } from './files.js'

const MAGIC = 0x888ffc26
const VERSION = 4
const HEADER_BYTES = 64
const ZOOM_HEADER_BYTES = 24
const SUMMARY_BYTES = 40
/** Bases per value of the finest zoom and factor between levels, as UCSC's programs choose them for values per base. */
const FINEST_ZOOM = 10
const ZOOM_FACTOR = 4
const MAX_ZOOMS = 10

const SECTION_HEADER_BYTES = 24
/** 16 KiB: a browser reads whole sections. */
const VALUES_PER_SECTION = 4096
/** Values at fixed steps of one base. */
const FIXED_STEP = 3
/** Sections that are deflated side by side. */
const SECTIONS_IN_FLIGHT = 64

const compress = promisify(deflate) as (bytes: Uint8Array) => Promise<Buffer>

interface Section {
  bytes: Buffer
  chrom: number
  start: number
  end: number
}

/**
 * A file that has its name only after `finish`; call `abort` if anything fails before.
 *
 * ```ts
 * const writer = await BigWigWriter.create('scores.bw', new Map([['chr1', 248_956_422]]))
 * await writer.append('chr1', 1_000_000, values) // in the order of chromosomes and positions
 * await writer.finish()
 * ```
 */
export class BigWigWriter {
  readonly #ids: ReadonlyMap<string, { id: number; size: number }>
  readonly #sections: Section[] = []
  readonly #blocks = new BlockList()
  readonly #total = new Summary()
  /** Of the bases of one bin of the finest zoom; there are too many to make one for each. */
  readonly #bin = new Summary()
  #zooms: ZoomLevel[] = []
  #chromTree = 0
  #data = 0
  /** Where the next values may start. */
  #next = { id: 0, position: 0 }

  private constructor(
    private readonly file: OutputFile,
    private readonly sizes: ReadonlyMap<string, number>,
  ) {
    this.#ids = new Map([...sizes].map(([name, size], id) => [name, { id, size }]))
  }

  /** @param sizes Lengths of chromosomes by name, in the order in which values come. */
  static async create(path: string, sizes: ReadonlyMap<string, number>): Promise<BigWigWriter> {
    const writer = new BigWigWriter(await OutputFile.create(path), sizes)
    try {
      await writer.#begin(path)
    } catch (error) {
      await writer.abort()
      throw error
    }
    return writer
  }

  async #begin(path: string): Promise<void> {
    let longest = 0
    for (const size of this.sizes.values()) longest = Math.max(longest, size)
    const reductions = Array.from({ length: MAX_ZOOMS }, (_, level) => FINEST_ZOOM * ZOOM_FACTOR ** level)
    for (const reduction of reductions.filter((each, level) => level === 0 || each < longest).reverse())
      this.#zooms.unshift(await ZoomLevel.create(path, reduction, this.#zooms[0]))
    await this.file.append(
      Buffer.alloc(HEADER_BYTES + this.#zooms.length * ZOOM_HEADER_BYTES + SUMMARY_BYTES),
    )
    this.#chromTree = this.file.size
    await this.file.append(chromosomeTree(this.sizes, this.#chromTree))
    this.#data = this.file.size
    // The number of sections is known in the end.
    await this.file.append(Buffer.alloc(8))
  }

  /** Appends values from `start` on, behind all values appended before. */
  async append(chrom: string, start: number, values: Float32Array): Promise<void> {
    const found = this.#ids.get(chrom)
    const refuse = (problem: string) =>
      new DeepLiftError('INVALID_INPUT', `${this.file.path}: values at ${chrom}:${start} ${problem}.`)
    if (!found) throw refuse('lie on a chromosome that is not listed')
    const { id, size } = found
    if (start < 0 || start + values.length > size) throw refuse(`reach over the ${size} bases of it`)
    if (id < this.#next.id || (id === this.#next.id && start < this.#next.position))
      throw refuse('come before others that are written already')
    this.#next = { id, position: start + values.length }
    this.#summarise(id, start, values)
    for (let from = 0; from < values.length; from += VALUES_PER_SECTION) {
      this.#sections.push(section(id, start + from, values.subarray(from, from + VALUES_PER_SECTION)))
      if (this.#sections.length === SECTIONS_IN_FLIGHT) await this.#flush()
    }
  }

  #summarise(id: number, start: number, values: Float32Array): void {
    const end = start + values.length
    const summary = this.#bin
    for (let position = start; position < end; ) {
      const binEnd = Math.min(end, (Math.floor(position / FINEST_ZOOM) + 1) * FINEST_ZOOM)
      summary.clear()
      for (let at = position; at < binEnd; at++) summary.add(values[at - start]!)
      this.#total.merge(summary)
      this.#zooms[0]!.add(id, position, binEnd, summary)
      position = binEnd
    }
  }

  async #flush(): Promise<void> {
    const sections = this.#sections.splice(0)
    const packed = await Promise.all(sections.map(({ bytes }) => compress(bytes)))
    let offset = this.file.size
    for (const [index, bytes] of packed.entries()) {
      const { chrom, start, end } = sections[index]!
      this.#blocks.push(chrom, start, chrom, end, offset, bytes.length)
      offset += bytes.length
    }
    await this.file.append(Buffer.concat(packed))
    for (const zoom of this.#zooms) await zoom.flush()
  }

  /** Completes the file and gives it its name. */
  async finish(): Promise<void> {
    await this.#flush()
    const index = this.file.size
    await this.file.append(this.#blocks.tree(index, 0))
    const zooms: Buffer[] = []
    for (const zoom of this.#zooms) zooms.push(await this.#appendZoom(zoom))
    const magic = Buffer.alloc(4)
    magic.writeUInt32LE(MAGIC)
    await this.file.append(magic)

    await this.file.patch(Buffer.concat([this.#header(index), ...zooms, this.#totals()]), 0)
    const sections = Buffer.alloc(8)
    sections.writeBigUInt64LE(BigInt(this.#blocks.length))
    await this.file.patch(sections, this.#data)
    await this.file.commit()
    await this.#discardZooms()
  }

  /** Puts a level behind what is written, and returns its entry in the header. */
  async #appendZoom(zoom: ZoomLevel): Promise<Buffer> {
    await zoom.complete()
    const data = this.file.size
    const records = Buffer.alloc(4)
    records.writeUInt32LE(zoom.records)
    await this.file.append(records)
    const base = this.file.size
    for await (const piece of zoom.bytes()) await this.file.append(piece)
    const index = this.file.size
    await this.file.append(zoom.blocks.tree(index, base))
    const entry = Buffer.alloc(ZOOM_HEADER_BYTES)
    entry.writeUInt32LE(zoom.reduction, 0)
    entry.writeBigUInt64LE(BigInt(data), 8)
    entry.writeBigUInt64LE(BigInt(index), 16)
    return entry
  }

  #header(index: number): Buffer {
    const header = Buffer.alloc(HEADER_BYTES)
    header.writeUInt32LE(MAGIC, 0)
    header.writeUInt16LE(VERSION, 4)
    header.writeUInt16LE(this.#zooms.length, 6)
    header.writeBigUInt64LE(BigInt(this.#chromTree), 8)
    header.writeBigUInt64LE(BigInt(this.#data), 16)
    header.writeBigUInt64LE(BigInt(index), 24)
    header.writeBigUInt64LE(BigInt(HEADER_BYTES + this.#zooms.length * ZOOM_HEADER_BYTES), 44)
    header.writeUInt32LE(Math.max(SECTION_HEADER_BYTES + 4 * VALUES_PER_SECTION, ZOOM_BLOCK_BYTES), 52)
    return header
  }

  #totals(): Buffer {
    const { count, minimum, maximum, sum, squares } = this.#total
    const totals = Buffer.alloc(SUMMARY_BYTES)
    totals.writeBigUInt64LE(BigInt(count), 0)
    for (const [field, value] of [minimum, maximum, sum, squares].entries())
      totals.writeDoubleLE(count > 0 ? value : 0, 8 + 8 * field)
    return totals
  }

  async #discardZooms(): Promise<void> {
    for (const zoom of this.#zooms) await zoom.discard()
  }

  /** Removes what was written. Safe to call at any time, any number of times. */
  async abort(): Promise<void> {
    await this.#discardZooms()
    await this.file.discard()
  }
}

function section(chrom: number, start: number, values: Float32Array): Section {
  const end = start + values.length
  const bytes = Buffer.alloc(SECTION_HEADER_BYTES + 4 * values.length)
  const step = 1
  const span = 1
  for (const [field, value] of [chrom, start, end, step, span].entries())
    bytes.writeUInt32LE(value, 4 * field)
  bytes[20] = FIXED_STEP
  bytes.writeUInt16LE(values.length, 22)
  // Every platform of the native addon is little-endian.
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), SECTION_HEADER_BYTES)
  return { bytes, chrom, start, end }
}
