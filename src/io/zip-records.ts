/**
 * The records of a zip archive.
 *
 * Every member has the sizes of zip64 in its local header, as NumPy writes them, so that none needs to be known in
 * advance. Nothing depends on clock or umask.
 *
 * Format: PKWARE, APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3.
 */

const LOCAL_HEADER = 0x04034b50
const CENTRAL_HEADER = 0x02014b50
const END = 0x06054b50
const ZIP64_END = 0x06064b50
const ZIP64_LOCATOR = 0x07064b50
const ZIP64_EXTRA = 1

/** 4.5: zip64. */
const VERSION = 45
const UNIX = 3 << 8
const UTF8_NAMES = 0x0800
export const STORED = 0
export const DEFLATED = 8
/** 1980-01-01, the first day that can be written; times have no zone. */
const DATE = (1 << 5) | 1
/** rw-r--r--, of a file. */
const MODE = 0o100644

const MAX_32 = 0xffffffff
const MAX_16 = 0xffff

const LOCAL_HEADER_BYTES = 30
const LOCAL_EXTRA_BYTES = 20

export interface Member {
  name: Buffer
  method: number
  /** Of its local header. */
  offset: number
  checksum: number
  /** As it is stored, and unpacked. */
  packed: number
  size: number
}

/** What stands before the bytes of a member, followed by its name. */
export function localHeader({ name, method, checksum, packed, size }: Member): Buffer {
  const header = Buffer.alloc(LOCAL_HEADER_BYTES + LOCAL_EXTRA_BYTES)
  header.writeUInt32LE(LOCAL_HEADER, 0)
  header.writeUInt16LE(VERSION, 4)
  writeKind(header, 6, method, checksum)
  header.writeUInt32LE(MAX_32, 18)
  header.writeUInt32LE(MAX_32, 22)
  header.writeUInt16LE(name.length, 26)
  header.writeUInt16LE(LOCAL_EXTRA_BYTES, 28)
  writeZip64(header, LOCAL_HEADER_BYTES, [size, packed])
  return Buffer.concat([header.subarray(0, LOCAL_HEADER_BYTES), name, header.subarray(LOCAL_HEADER_BYTES)])
}

/** The entry of a member in the list at the end. */
export function centralHeader({ name, method, checksum, packed, size, offset }: Member): Buffer {
  const fields = [size, packed, offset]
  const large = fields.filter((field) => field >= MAX_32)
  const extra = Buffer.alloc(large.length > 0 ? 4 + 8 * large.length : 0)
  if (large.length > 0) writeZip64(extra, 0, large)
  const header = Buffer.alloc(46)
  header.writeUInt32LE(CENTRAL_HEADER, 0)
  header.writeUInt16LE(UNIX | VERSION, 4)
  header.writeUInt16LE(VERSION, 6)
  writeKind(header, 8, method, checksum)
  header.writeUInt32LE(Math.min(packed, MAX_32), 20)
  header.writeUInt32LE(Math.min(size, MAX_32), 24)
  header.writeUInt16LE(name.length, 28)
  header.writeUInt16LE(extra.length, 30)
  header.writeUInt16LE(MODE, 40)
  header.writeUInt32LE(Math.min(offset, MAX_32), 42)
  return Buffer.concat([header, name, extra])
}

/** Flags, method, time, date and checksum, which both headers have in this order. */
function writeKind(header: Buffer, at: number, method: number, checksum: number): void {
  header.writeUInt16LE(UTF8_NAMES, at)
  header.writeUInt16LE(method, at + 2)
  header.writeUInt16LE(DATE, at + 6)
  header.writeUInt32LE(checksum, at + 8)
}

function writeZip64(bytes: Buffer, at: number, fields: readonly number[]): void {
  bytes.writeUInt16LE(ZIP64_EXTRA, at)
  bytes.writeUInt16LE(8 * fields.length, at + 2)
  for (const [index, field] of fields.entries()) bytes.writeBigUInt64LE(BigInt(field), at + 4 + 8 * index)
}

/** What stands behind the list of members, which lies at `[start, end)`. */
export function endOfArchive(members: number, start: number, end: number): Buffer {
  const size = end - start
  const last = Buffer.alloc(22)
  last.writeUInt32LE(END, 0)
  last.writeUInt16LE(Math.min(members, MAX_16), 8)
  last.writeUInt16LE(Math.min(members, MAX_16), 10)
  last.writeUInt32LE(Math.min(size, MAX_32), 12)
  last.writeUInt32LE(Math.min(start, MAX_32), 16)
  if (members < MAX_16 && size < MAX_32 && start < MAX_32) return last

  const large = Buffer.alloc(56 + 20)
  large.writeUInt32LE(ZIP64_END, 0)
  large.writeBigUInt64LE(44n, 4)
  large.writeUInt16LE(UNIX | VERSION, 12)
  large.writeUInt16LE(VERSION, 14)
  for (const [index, field] of [members, members, size, start].entries())
    large.writeBigUInt64LE(BigInt(field), 24 + 8 * index)
  large.writeUInt32LE(ZIP64_LOCATOR, 56)
  large.writeBigUInt64LE(BigInt(end), 64)
  large.writeUInt32LE(1, 72)
  return Buffer.concat([large, last])
}
