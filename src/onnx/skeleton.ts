/**
 * An ONNX file without the values of its large initialisers, which native code reads from the file when it packs them:
 * so weights are in memory once.
 *
 * Only the path to raw data is walked: ModelProto.graph, GraphProto.initializer, TensorProto.raw_data. All else is copied
 * as it is, in the order of the file.
 */

import type { FileHandle } from 'node:fs/promises'

/** Values of so many bytes and more stay in their file. */
export const LARGE = 2 ** 20

/** Bytes that are read ahead to look at the heads of fields. */
const WINDOW = 2 ** 16

/** Where a tensor's values lie in the file. */
export interface Stored {
  offset: number
  byteLength: number
}

export interface Skeleton {
  /** A ModelProto in which one byte stands for the raw data of each large tensor. */
  bytes: Buffer
  /** What these bytes stand for, by their place. */
  stored: Map<number, Stored>
}

const GRAPH = 7
const INITIALIZER = 5
const RAW_DATA = 9

const VARINT = 0
const FIXED64 = 1
const LENGTH = 2
const FIXED32 = 5

/** A field of a message: its head, which ends where `start` is, and its content. */
interface Field {
  number: number
  wireType: number
  head: number
  start: number
  end: number
}

/** Part of the skeleton: bytes of the file, or bytes of its own. */
type Part = { from: number; to: number } | { bytes: Uint8Array; stored?: Stored }

/** Undefined if nothing is large, or the file is not what it should be: reading it whole then says what is wrong. */
export async function readSkeleton(handle: FileHandle, size: number): Promise<Skeleton | undefined> {
  if (size < LARGE) return undefined
  const parts = await new Scan(handle, size).model()
  if (!parts?.some((part) => 'stored' in part)) return undefined
  const bytes = Buffer.allocUnsafeSlow(lengthOf(parts))
  const stored = new Map<number, Stored>()
  let at = 0
  for (const part of parts) {
    if ('from' in part) {
      const length = part.to - part.from
      const { bytesRead } = await handle.read(bytes, at, length, part.from)
      if (bytesRead !== length) return undefined
      at += length
    } else {
      if (part.stored) stored.set(at, part.stored)
      bytes.set(part.bytes, at)
      at += part.bytes.length
    }
  }
  return { bytes, stored }
}

class Scan {
  #window: Buffer = Buffer.alloc(0)
  #from = 0

  constructor(
    private readonly handle: FileHandle,
    private readonly size: number,
  ) {}

  model(): Promise<Part[] | undefined> {
    return this.#message(0, this.size, GRAPH, (graph) =>
      this.#message(graph.start, graph.end, INITIALIZER, (tensor) =>
        this.#message(tensor.start, tensor.end, RAW_DATA, async (raw) =>
          raw.end - raw.start < LARGE
            ? [{ from: raw.start, to: raw.end }]
            : [{ bytes: Uint8Array.of(0), stored: { offset: raw.start, byteLength: raw.end - raw.start } }],
        ),
      ),
    )
  }

  /** The parts of a message in which one kind of field is replaced; undefined if it is malformed. */
  async #message(
    start: number,
    end: number,
    replaced: number,
    replace: (field: Field) => Promise<Part[] | undefined>,
  ): Promise<Part[] | undefined> {
    const parts: Part[] = []
    for (let at = start; at < end; ) {
      const field = await this.#field(at, end)
      if (!field) return undefined
      at = field.end
      if (field.number !== replaced || field.wireType !== LENGTH) {
        append(parts, { from: field.head, to: field.end })
        continue
      }
      const content = await replace(field)
      if (!content) return undefined
      if (content.some((part) => 'stored' in part)) {
        append(parts, { bytes: varint((field.number << 3) | LENGTH) })
        append(parts, { bytes: varint(lengthOf(content)) })
        for (const part of content) append(parts, part)
      } else append(parts, { from: field.head, to: field.end })
    }
    return parts
  }

  async #field(head: number, end: number): Promise<Field | undefined> {
    const tag = await this.#varint(head, end)
    if (!tag) return undefined
    const [number, wireType] = [Math.floor(tag.value / 8), tag.value % 8]
    const value = wireType === VARINT || wireType === LENGTH ? await this.#varint(tag.end, end) : undefined
    const field = { number, wireType, head, start: value?.end ?? tag.end }
    const lengths = new Map([
      [VARINT, value && 0],
      [FIXED64, 8],
      [LENGTH, value?.value],
      [FIXED32, 4],
    ])
    const length = lengths.get(wireType)
    if (length === undefined || field.start + length > end) return undefined
    return { ...field, end: field.start + length }
  }

  /** Exact up to 2^53: no tag and no length is larger. */
  async #varint(start: number, end: number): Promise<{ value: number; end: number } | undefined> {
    let value = 0
    for (let i = 0; i < 10 && start + i < end; i++) {
      const byte = await this.#byte(start + i)
      if (byte === undefined) return undefined
      value += (byte & 0x7f) * 2 ** (7 * i)
      if (byte < 0x80) return { value, end: start + i + 1 }
    }
    return undefined
  }

  #byte(at: number): number | undefined | Promise<number | undefined> {
    const known = this.#window[at - this.#from]
    return at >= this.#from && known !== undefined ? known : this.#move(at)
  }

  async #move(at: number): Promise<number | undefined> {
    const window = Buffer.allocUnsafe(WINDOW)
    const { bytesRead } = await this.handle.read(window, 0, WINDOW, at)
    this.#window = window.subarray(0, bytesRead)
    this.#from = at
    return this.#window[0]
  }
}

/** Neighbouring bytes of the file become one part. */
function append(parts: Part[], part: Part): void {
  const last = parts.at(-1)
  if (last && 'from' in last && 'from' in part && last.to === part.from) last.to = part.to
  else parts.push(part)
}

function lengthOf(parts: readonly Part[]): number {
  return parts.reduce((sum, part) => sum + ('from' in part ? part.to - part.from : part.bytes.length), 0)
}

function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  return Uint8Array.from([...bytes, rest])
}
