/**
 * Metadata of HDF5 files as bytes: superblock, object headers and their messages, B-trees of chunks.
 *
 * Of the file format specification (version 3.0) only what files of scores need: superblock 2, object headers 2
 * without times, links in the header of their group, numbers and fixed strings, and version 1 B-trees. Every HDF5
 * since 1.8 reads it.
 */

import { lookup3 } from './lookup3.js'

/** Numbers that a dataset can hold. */
export type Hdf5Number = 'float16' | 'float32' | 'float64' | 'int8' | 'uint8' | 'int32'
/** Numbers, or UTF-8 strings of this many bytes at most. */
export type Hdf5Type = Hdf5Number | { stringBytes: number }

const UNDEFINED_ADDRESS = 0xffff_ffff_ffff_ffffn
const SIGNATURE = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1')
export const SUPERBLOCK_SIZE = 48
/** What readers take without being told otherwise: half the children of a node of a B-tree of chunks. */
const CHUNK_TREE_K = 32
/** A message has its size in 16 bits. */
export const MAX_ATTRIBUTE_BYTES = 65_000

const u8 = (...values: number[]): Buffer => Buffer.from(values)

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function u64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

function checked(...parts: Uint8Array[]): Buffer {
  const bytes = Buffer.concat(parts)
  return Buffer.concat([bytes, u32(lookup3(bytes))])
}

export function superblock(root: number, end: number): Buffer {
  return checked(SIGNATURE, u8(2, 8, 8, 0), u64(0), u64(UNDEFINED_ADDRESS), u64(end), u64(root))
}

interface Message {
  type: number
  body: Buffer
}

export function objectHeader(messages: readonly Message[]): Buffer {
  const body = Buffer.concat(
    messages.flatMap(({ type, body }) => [u8(type), u16(body.length), u8(0), body] as Buffer[]),
  )
  // Flags: the size of the messages has four bytes; no times, so that equal contents are equal bytes.
  return checked(Buffer.from('OHDR'), u8(2, 2), u32(body.length), body)
}

export function groupMessages(): Message[] {
  const none = u64(UNDEFINED_ADDRESS)
  return [
    { type: 0x02, body: Buffer.concat([u8(0, 0), none, none]) },
    { type: 0x0a, body: u8(0, 0) },
  ]
}

export function linkMessage(name: string, address: number): Message {
  return {
    type: 0x06,
    body: Buffer.concat([u8(1, 0, name.length), Buffer.from(name, 'ascii'), u64(address)]),
  }
}

export function attributeMessage(name: string, text: string): Message {
  const value = Buffer.from(text, 'utf8')
  // A string of no bytes is no valid type.
  const type = datatype({ stringBytes: Math.max(1, value.length) })
  const space = u8(2, 0, 0, 0)
  return {
    type: 0x0c,
    body: Buffer.concat([
      u8(3, 0),
      u16(name.length + 1),
      u16(type.length),
      u16(space.length),
      u8(0),
      Buffer.from(`${name}\0`, 'ascii'),
      type,
      space,
      value.length > 0 ? value : u8(0),
    ]),
  }
}

/** Where the values of a dataset are: in one piece, or in chunks under a B-tree. */
export type Storage =
  | { kind: 'contiguous'; address: number; bytes: number }
  | { kind: 'chunked'; tree: number; chunkShape: readonly number[]; deflateLevel: number | undefined }

export function datasetMessages(type: Hdf5Type, shape: readonly number[], storage: Storage): Message[] {
  const chunked = storage.kind === 'chunked'
  return [
    { type: 0x01, body: Buffer.concat([u8(2, shape.length, 0, 1), ...shape.map(u64)]) },
    { type: 0x03, body: datatype(type) },
    // Fill value: none of its own. Space is allocated chunk by chunk, or at once.
    { type: 0x05, body: u8(3, chunked ? 0x0b : 0x0a) },
    { type: 0x08, body: layout(type, storage) },
    ...(chunked && storage.deflateLevel !== undefined
      ? [{ type: 0x0b, body: filters(sizeOfType(type), storage.deflateLevel) }]
      : []),
  ]
}

function layout(type: Hdf5Type, storage: Storage): Buffer {
  if (storage.kind === 'contiguous')
    return Buffer.concat([
      u8(3, 1),
      storage.bytes > 0 ? u64(storage.address) : u64(UNDEFINED_ADDRESS),
      u64(storage.bytes),
    ])
  const dims = [...storage.chunkShape, sizeOfType(type)]
  return Buffer.concat([u8(3, 2, dims.length), u64(storage.tree), ...dims.map(u32)])
}

/** Bytes of equal significance side by side, then deflate. */
function filters(elementSize: number, level: number): Buffer {
  const filter = (id: number, value: number) => [u16(id), u16(1), u16(1), u32(value)]
  return Buffer.concat([u8(2, 2), ...filter(2, elementSize), ...filter(1, level)])
}

const INTEGERS = { int8: [1, true], uint8: [1, false], int32: [4, true] } as const
/** Bytes, then bits of exponent and mantissa. */
const FLOATS = { float16: [2, 5, 10], float32: [4, 8, 23], float64: [8, 11, 52] } as const

export function sizeOfType(type: Hdf5Type): number {
  if (typeof type === 'object') return type.stringBytes
  return type in FLOATS ? FLOATS[type as keyof typeof FLOATS][0] : INTEGERS[type as keyof typeof INTEGERS][0]
}

function datatype(type: Hdf5Type): Buffer {
  // UTF-8, padded with zeros.
  if (typeof type === 'object') return Buffer.concat([u8(0x13, 0x11, 0, 0), u32(type.stringBytes)])
  if (type in FLOATS) {
    const [bytes, exponent, mantissa] = FLOATS[type as keyof typeof FLOATS]
    const bits = 8 * bytes
    return Buffer.concat([
      // Little-endian, first bit of the mantissa implied, sign in the last bit.
      u8(0x11, 0x20, bits - 1, 0),
      u32(bytes),
      u16(0),
      u16(bits),
      u8(mantissa, exponent, 0, mantissa),
      u32(2 ** (exponent - 1) - 1),
    ])
  }
  const [bytes, signed] = INTEGERS[type as keyof typeof INTEGERS]
  return Buffer.concat([u8(0x10, signed ? 8 : 0, 0, 0), u32(bytes), u16(0), u16(8 * bytes)])
}

/** A chunk of whole rows in the file. */
export interface Chunk {
  /** Its first row. */
  row: number
  address: number
  bytes: number
}

/**
 * The B-tree of the chunks of a dataset, as bytes to be put at `address`, and where in the file its root is.
 *
 * @param endRow The row behind the last chunk, a multiple of the rows of a chunk.
 * @param rank Axes of the dataset.
 */
export function chunkTree(
  chunks: readonly Chunk[],
  endRow: number,
  rank: number,
  address: number,
): { bytes: Buffer; root: number } {
  const fanOut = 2 * CHUNK_TREE_K
  const keySize = 8 + 8 * (rank + 1)
  const nodeSize = 24 + (fanOut + 1) * keySize + fanOut * 8
  const nodes: Buffer[] = []
  const key = (bytes: number, row: number) =>
    Buffer.concat([u32(bytes), u32(0), u64(row), Buffer.alloc(8 * rank)])

  let level = 0
  let entries: { row: number; bytes: number; address: number }[] = [...chunks]
  do {
    const count = Math.ceil(entries.length / fanOut)
    const first = address + nodes.length * nodeSize
    const parents: typeof entries = []
    for (let index = 0; index < count; index++) {
      const children = entries.slice(index * fanOut, (index + 1) * fanOut)
      const next = entries[(index + 1) * fanOut]
      const sibling = (at: number) =>
        at >= 0 && at < count ? u64(first + at * nodeSize) : u64(UNDEFINED_ADDRESS)
      const node = Buffer.concat([
        Buffer.from('TREE'),
        u8(1, level),
        u16(children.length),
        sibling(index - 1),
        sibling(index + 1),
        ...children.flatMap((child) => [key(child.bytes, child.row), u64(child.address)]),
        key(0, next?.row ?? endRow),
      ])
      nodes.push(Buffer.concat([node, Buffer.alloc(nodeSize - node.length)]))
      parents.push({ ...children[0]!, address: first + index * nodeSize })
    }
    entries = parents
    level++
  } while (entries.length > 1)
  return { bytes: Buffer.concat(nodes), root: entries[0]!.address }
}
