/**
 * 2bit genomes: four bases in a byte, with lists of the runs of N and of lower case.
 *
 * The format: https://genome.ucsc.edu/FAQ/FAQformat.html#format7, little-endian, versions 0 and 1 (64-bit offsets).
 * The list of lower case, several megabytes for a human chromosome, is read only if it matters.
 */

import type { FileHandle } from 'node:fs/promises'
import { DeepLiftError } from '../errors.js'
import { openForReading } from '../io/files.js'
import { readAt } from '../io/random-access.js'
import type { Chromosomes, Lowercase } from './genome.js'
import { UNKNOWN_BASE } from './letters.js'

const MAGIC = 0x1a412743
const MAGIC_BIG_ENDIAN = 0x4327411a

/** T, C, A, G are 0 to 3 in the file. */
const CODES = Uint8Array.of(3, 1, 0, 2)

/** Sorted runs that do not overlap. */
interface Runs {
  starts: Uint32Array
  sizes: Uint32Array
}

interface Sequence {
  size: number
  offset: number
  /** What stands before the packed bases, once it is read. */
  loaded?: Promise<{ unknown: Runs[]; bases: number }>
}

export function isTwoBit(head: Buffer): boolean {
  return head.length >= 4 && [MAGIC, MAGIC_BIG_ENDIAN].includes(head.readUInt32LE(0))
}

export async function openTwoBit(path: string, lowercase: Lowercase): Promise<Chromosomes> {
  const handle = await openForReading(path)
  try {
    const file = new TwoBitFile(path, handle, (await handle.stat()).size, lowercase)
    await file.readIndex()
    return file
  } catch (error) {
    await handle.close()
    throw error
  }
}

class TwoBitFile implements Chromosomes {
  readonly sizes = new Map<string, number>()
  readonly #sequences = new Map<string, Sequence>()

  constructor(
    private readonly path: string,
    private readonly handle: FileHandle,
    private readonly fileSize: number,
    private readonly lowercase: Lowercase,
  ) {}

  async readIndex(): Promise<void> {
    const header = await this.#read(0, 16)
    if (header.readUInt32LE(0) !== MAGIC)
      throw this.#problem('it is big-endian; convert it with faToTwoBit on a little-endian machine')
    const version = header.readUInt32LE(4)
    if (version > 1) throw this.#problem(`its version is ${version}; 0 and 1 are read`)
    const count = header.readUInt32LE(8)
    const offsetBytes = version === 1 ? 8 : 4
    // Every entry has at least a length, a name of one letter and an offset.
    if (count * (2 + offsetBytes) > this.fileSize) throw this.#problem(`it claims ${count} sequences`)
    const longest = Math.min(this.fileSize - 16, count * (1 + 255 + offsetBytes))
    const index = await this.#read(16, longest)
    let at = 0
    for (let sequence = 0; sequence < count; sequence++) {
      const nameEnd = at + 1 + (index[at] ?? 0)
      if (nameEnd + offsetBytes > index.length) throw this.#problem('its index is cut off')
      const name = index.toString('utf8', at + 1, nameEnd)
      const offset = version === 1 ? Number(index.readBigUInt64LE(nameEnd)) : index.readUInt32LE(nameEnd)
      at = nameEnd + offsetBytes
      const size = (await this.#read(offset, 4)).readUInt32LE(0)
      this.#sequences.set(name, { size, offset })
      this.sizes.set(name, size)
    }
  }

  async read(chrom: string, start: number, end: number): Promise<Uint8Array> {
    const sequence = this.#sequences.get(chrom)!
    sequence.loaded ??= this.#load(sequence)
    const { unknown, bases } = await sequence.loaded
    const firstByte = Math.floor(start / 4)
    const packed = await this.#read(bases + firstByte, Math.ceil(end / 4) - firstByte)
    const codes = new Uint8Array(end - start)
    for (let i = 0; i < codes.length; i++) {
      const position = start + i
      codes[i] = CODES[(packed[Math.floor(position / 4) - firstByte]! >> (6 - 2 * (position % 4))) & 3]!
    }
    for (const runs of unknown) fillRuns(codes, start, runs)
    return codes
  }

  async #load({ size, offset }: Sequence): Promise<{ unknown: Runs[]; bases: number }> {
    const n = await this.#runs(offset + 4, true)
    const lower = await this.#runs(n.end, this.lowercase === 'unknown')
    const bases = lower.end + 4
    if (bases + Math.ceil(size / 4) > this.fileSize) throw this.#problem('it is cut off')
    return { unknown: [n.runs, lower.runs].filter((runs) => runs !== undefined), bases }
  }

  /** A list of runs, or with `wanted` false only where it ends. */
  async #runs(offset: number, wanted: boolean): Promise<{ runs: Runs | undefined; end: number }> {
    const count = (await this.#read(offset, 4)).readUInt32LE(0)
    const end = offset + 4 + 8 * count
    if (!wanted) return { runs: undefined, end }
    const bytes = await this.#read(offset + 4, 8 * count)
    const numbers = Uint32Array.from({ length: 2 * count }, (_, index) => bytes.readUInt32LE(4 * index))
    return { runs: { starts: numbers.subarray(0, count), sizes: numbers.subarray(count) }, end }
  }

  async #read(offset: number, length: number): Promise<Buffer> {
    if (offset + length > this.fileSize) throw this.#problem('it is cut off')
    const bytes = Buffer.alloc(length)
    const done = await readAt(this.handle, bytes, offset)
    if (done < length) throw this.#problem(`it ends at byte ${offset + done}`)
    return bytes
  }

  #problem(problem: string): DeepLiftError {
    return new DeepLiftError('FILE_FORMAT', `${this.path} cannot be read as 2bit: ${problem}.`, {
      details: { file: this.path },
    })
  }

  async close(): Promise<void> {
    await this.handle.close()
  }
}

/** Makes unknown what runs cover of the codes that begin at `start`. */
function fillRuns(codes: Uint8Array, start: number, { starts, sizes }: Runs): void {
  const end = start + codes.length
  let low = 0
  let high = starts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (starts[middle]! + sizes[middle]! <= start) low = middle + 1
    else high = middle
  }
  for (let run = low; run < starts.length && starts[run]! < end; run++)
    codes.fill(UNKNOWN_BASE, Math.max(0, starts[run]! - start), starts[run]! + sizes[run]! - start)
}
