/**
 * Random access to bgzip files, which are gzip members ("blocks") of at most 64 KiB, through the list of where blocks
 * begin (.gzi).
 *
 * SAM specification, section 4.1. A .gzi file, as htslib writes it, holds the number of entries and then for each block
 * but the first its offset in the file and in what it unpacks to, all as 64-bit integers.
 */

import { crc32, inflateRawSync } from 'node:zlib'
import { DeepLiftError } from '../errors.js'
import { cutOff, type PlainFile, type RandomAccess } from './random-access.js'

/** Bytes of a block before its deflated data, where BC is its only extra field, and after them. */
const HEADER = 18
const TRAILER = 8

const MAX_BLOCK = 1 << 16

/** Unpacked blocks that are kept: neighbouring regions share them. */
const KEPT_BLOCKS = 16

/** Where each block begins, packed and unpacked, the first one included. */
export interface BgzipIndex {
  packed: number[]
  unpacked: number[]
}

/** Whether the first {@link HEADER} bytes of a file are those of a bgzip block. */
export function isBgzipHead(head: Buffer): boolean {
  return head.length >= HEADER && blockSize(head) !== undefined
}

/** Bytes of the block that starts with these bytes. */
function blockSize(head: Buffer): number | undefined {
  const [first, second, , flags] = head
  const isBlock = first === 0x1f && second === 0x8b && (flags! & 4) !== 0
  if (!isBlock || head.toString('latin1', 12, 14) !== 'BC') return undefined
  return head.readUInt16LE(16) + 1
}

export function parseGzi(bytes: Buffer, path: string): BgzipIndex {
  const count = bytes.length >= 8 ? Number(bytes.readBigUInt64LE(0)) : -1
  if (bytes.length !== 8 + 16 * count)
    throw new DeepLiftError('FILE_FORMAT', `${path} is no index of a bgzip file (.gzi).`, {
      details: { file: path },
    })
  const index: BgzipIndex = { packed: [0], unpacked: [0] }
  for (let entry = 0; entry < count; entry++) {
    index.packed.push(Number(bytes.readBigUInt64LE(8 + 16 * entry)))
    index.unpacked.push(Number(bytes.readBigUInt64LE(16 + 16 * entry)))
  }
  return index
}

export function formatGzi({ packed, unpacked }: BgzipIndex): Buffer {
  const bytes = Buffer.alloc(8 + 16 * (packed.length - 1))
  bytes.writeBigUInt64LE(BigInt(packed.length - 1), 0)
  for (let entry = 1; entry < packed.length; entry++) {
    bytes.writeBigUInt64LE(BigInt(packed[entry]!), 16 * entry - 8)
    bytes.writeBigUInt64LE(BigInt(unpacked[entry]!), 16 * entry)
  }
  return bytes
}

/** Finds the blocks of a file by their headers. Blocks without data, such as the one that ends a file, are left out. */
export async function indexBgzip(file: PlainFile): Promise<BgzipIndex> {
  const index: BgzipIndex = { packed: [], unpacked: [] }
  let unpacked = 0
  for (let packed = 0; packed < file.size; ) {
    const size = blockSize(await file.read(packed, Math.min(HEADER, file.size - packed)))
    if (size === undefined) throw damaged(file.path, packed)
    const bytes = (await file.read(packed + size - 4, 4)).readUInt32LE(0)
    if (bytes > 0 || packed === 0) {
      index.packed.push(packed)
      index.unpacked.push(unpacked)
    }
    unpacked += bytes
    packed += size
  }
  return index
}

export class BgzipFile implements RandomAccess {
  /** By number, the last one used at the end. */
  readonly #blocks = new Map<number, Buffer>()

  constructor(
    private readonly file: PlainFile,
    private readonly index: BgzipIndex,
  ) {}

  get path(): string {
    return this.file.path
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const parts: Buffer[] = []
    let done = 0
    for (let block = this.#find(offset); done < length; block++) {
      if (block >= this.index.packed.length) throw cutOff(this.path, offset + length, offset + done)
      const bytes = await this.#block(block)
      const start = offset + done - this.index.unpacked[block]!
      const part = bytes.subarray(start, start + length - done)
      if (start > bytes.length) throw damaged(this.path, this.index.packed[block]!)
      parts.push(part)
      done += part.length
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  }

  /** The block that holds a byte. */
  #find(offset: number): number {
    const { unpacked } = this.index
    let low = 0
    let high = unpacked.length - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (unpacked[middle]! <= offset) low = middle
      else high = middle - 1
    }
    return low
  }

  async #block(number: number): Promise<Buffer> {
    const kept = this.#blocks.get(number)
    const bytes = kept ?? (await this.#unpack(number))
    this.#blocks.delete(number)
    this.#blocks.set(number, bytes)
    if (this.#blocks.size > KEPT_BLOCKS) this.#blocks.delete(this.#blocks.keys().next().value!)
    return bytes
  }

  async #unpack(number: number): Promise<Buffer> {
    const offset = this.index.packed[number]!
    const available = (this.index.packed[number + 1] ?? this.file.size) - offset
    const block = await this.file.read(offset, Math.max(0, Math.min(MAX_BLOCK, available)))
    const size = block.length >= HEADER + TRAILER ? blockSize(block) : undefined
    if (size === undefined || size > block.length) throw damaged(this.path, offset)
    try {
      const data = block.subarray(12 + block.readUInt16LE(10), size - TRAILER)
      const bytes = inflateRawSync(data, { maxOutputLength: MAX_BLOCK })
      if (crc32(bytes) === block.readUInt32LE(size - TRAILER)) return bytes
    } catch (cause) {
      throw damaged(this.path, offset, cause)
    }
    throw damaged(this.path, offset)
  }

  async close(): Promise<void> {
    await this.file.close()
  }
}

function damaged(path: string, offset: number, cause?: unknown): DeepLiftError {
  return new DeepLiftError(
    'FILE_FORMAT',
    `${path}: there is no sound bgzip block at byte ${offset}; the file is damaged, or its .gzi belongs to another one.`,
    { cause, details: { file: path, offset } },
  )
}
