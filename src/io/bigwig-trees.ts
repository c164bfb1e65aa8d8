/**
 * The two indices of a bigWig file as bytes: chromosomes by name, and blocks of data by position.
 *
 * Both are trees of nodes of one size, the root first, then level by level.
 *
 * Format: Kent et al. 2010, BigWig and BigBed, supplementary tables 8 to 17.
 */

const CHROMOSOME_MAGIC = 0x78ca8c91
const BLOCK_MAGIC = 0x2468ace0
const FAN_OUT = 256

/** Nodes of each level, from the root down to the leaves. */
function levelsOf(items: number, fanOut: number): number[] {
  const levels = [Math.max(1, Math.ceil(items / fanOut))]
  while (levels[0]! > 1) levels.unshift(Math.ceil(levels[0]! / fanOut))
  return levels
}

/** A node's header: whether it is a leaf, and its items. */
function nodeHeader(leaf: boolean, items: number): Buffer {
  const header = Buffer.alloc(4)
  header[0] = leaf ? 1 : 0
  header.writeUInt16LE(items, 2)
  return header
}

/** Chromosomes with their numbers, by name; it is to be put at `address`. */
export function chromosomeTree(sizes: ReadonlyMap<string, number>, address: number): Buffer {
  const chromosomes = [...sizes]
    .map(([name, size], id) => ({ key: Buffer.from(name, 'utf8'), size, id }))
    .sort((a, b) => Buffer.compare(a.key, b.key))
  const keySize = chromosomes.reduce((longest, { key }) => Math.max(longest, key.length), 1)
  const itemSize = keySize + 8
  const fanOut = Math.min(FAN_OUT, Math.max(2, chromosomes.length))
  const nodeSize = 4 + fanOut * itemSize
  const levels = levelsOf(chromosomes.length, fanOut)

  const header = Buffer.alloc(32)
  header.writeUInt32LE(CHROMOSOME_MAGIC, 0)
  header.writeUInt32LE(fanOut, 4)
  header.writeUInt32LE(keySize, 8)
  header.writeUInt32LE(8, 12)
  header.writeBigUInt64LE(BigInt(chromosomes.length), 16)
  const parts = [header]
  let next = address + header.length
  for (const [level, nodes] of levels.entries()) {
    const leaf = level === levels.length - 1
    // Leaves under one child of this level.
    const span = fanOut ** (levels.length - 1 - level)
    const children = leaf ? chromosomes.length : levels[level + 1]!
    next += nodes * nodeSize
    for (let node = 0; node < nodes; node++) {
      const items = Math.min(fanOut, children - node * fanOut)
      const bytes = Buffer.alloc(nodeSize)
      nodeHeader(leaf, items).copy(bytes)
      for (let item = 0; item < items; item++) {
        const child = node * fanOut + item
        const at = 4 + item * itemSize
        const { key, id, size } = chromosomes[child * span]!
        key.copy(bytes, at)
        if (leaf) {
          bytes.writeUInt32LE(id, at + keySize)
          bytes.writeUInt32LE(size, at + keySize + 4)
        } else bytes.writeBigUInt64LE(BigInt(next + child * nodeSize), at + keySize)
      }
      parts.push(bytes)
    }
  }
  return Buffer.concat(parts)
}

/** Where blocks of data lie, on the genome and in the file; they come in order of the genome. */
export class BlockList {
  static readonly #COLUMNS = 6
  #values = new Float64Array(BlockList.#COLUMNS * 1024)
  length = 0

  push(chrom: number, start: number, endChrom: number, end: number, offset: number, bytes: number): void {
    const at = this.length * BlockList.#COLUMNS
    if (at === this.#values.length) {
      const larger = new Float64Array(2 * at)
      larger.set(this.#values)
      this.#values = larger
    }
    this.#values.set([chrom, start, endChrom, end, offset, bytes], at)
    this.length++
  }

  /** The index as bytes, to be put at `address`; offsets of blocks count from `base`. */
  tree(address: number, base: number): Buffer {
    const levels = levelsOf(this.length, FAN_OUT)
    const header = Buffer.alloc(48)
    header.writeUInt32LE(BLOCK_MAGIC, 0)
    header.writeUInt32LE(FAN_OUT, 4)
    header.writeBigUInt64LE(BigInt(this.length), 8)
    this.#range(0, this.length, header, 16)
    header.writeBigUInt64LE(BigInt(address), 32)
    // Items per block of the index.
    header.writeUInt32LE(1, 40)
    const parts = [header]
    let next = address + header.length
    for (const [level, nodes] of levels.entries()) {
      const leaf = level === levels.length - 1
      const itemSize = leaf ? 32 : 24
      const span = leaf ? 1 : FAN_OUT ** (levels.length - 1 - level)
      const children = leaf ? this.length : levels[level + 1]!
      const nodeSize = 4 + FAN_OUT * itemSize
      next += nodes * nodeSize
      const childSize = 4 + FAN_OUT * (level + 2 === levels.length ? 32 : 24)
      for (let node = 0; node < nodes; node++) {
        const items = Math.max(0, Math.min(FAN_OUT, children - node * FAN_OUT))
        const bytes = Buffer.alloc(nodeSize)
        nodeHeader(leaf, items).copy(bytes)
        for (let item = 0; item < items; item++) {
          const child = node * FAN_OUT + item
          const at = 4 + item * itemSize
          this.#range(child * span, Math.min(this.length, (child + 1) * span), bytes, at)
          if (leaf) {
            const [offset, size] = this.#place(child)
            bytes.writeBigUInt64LE(BigInt(base + offset), at + 16)
            bytes.writeBigUInt64LE(BigInt(size), at + 24)
          } else bytes.writeBigUInt64LE(BigInt(next + child * childSize), at + 16)
        }
        parts.push(bytes)
      }
    }
    return Buffer.concat(parts)
  }

  /** Writes the part of the genome that the blocks `[first, end)` lie in. */
  #range(first: number, end: number, bytes: Buffer, at: number): void {
    if (end === first) return
    const values = this.#values
    const from = first * BlockList.#COLUMNS
    const last = (end - 1) * BlockList.#COLUMNS
    bytes.writeUInt32LE(values[from]!, at)
    bytes.writeUInt32LE(values[from + 1]!, at + 4)
    bytes.writeUInt32LE(values[last + 2]!, at + 8)
    bytes.writeUInt32LE(values[last + 3]!, at + 12)
  }

  #place(block: number): [offset: number, bytes: number] {
    const at = block * BlockList.#COLUMNS
    return [this.#values[at + 4]!, this.#values[at + 5]!]
  }
}
