/** Bytes from a file, a buffer or a stream, unpacked if they are gzip or bgzip. */

import { pipeline, Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { createGunzip } from 'node:zlib'
import { DeepLiftError } from '../errors.js'
import { openForReading } from './files.js'

/** A path, a file URL, bytes in memory, or chunks of bytes such as any Node or web stream. */
export type ByteSource = string | URL | Uint8Array | AsyncIterable<Uint8Array>

/** How errors name the source. */
export function sourceName(source: ByteSource): string {
  if (typeof source === 'string') return source
  if (source instanceof URL) return fileURLToPath(source)
  return source instanceof Uint8Array ? 'the bytes given' : 'the stream given'
}

/** Whether a value can be read by {@link readBytes}. */
export function isByteSource(value: unknown): value is ByteSource {
  return (
    typeof value === 'string' ||
    value instanceof URL ||
    value instanceof Uint8Array ||
    (typeof value === 'object' && value !== null && Symbol.asyncIterator in value)
  )
}

const GZIP_MAGIC = [0x1f, 0x8b]

/** Bytes that tell bgzip from gzip: the fixed header and the first extra field. */
const BGZIP_PREFIX = 14

/** The empty block that ends every complete bgzip file (SAM specification, section 4.1.2). */
const BGZIP_END = Buffer.from('1f8b08040000000000ff0600424302001b0003000000000000000000', 'hex')

/** Chunks of the source, unpacked if it starts as gzip does. Memory is that of a few chunks. */
export async function* readBytes(source: ByteSource): AsyncGenerator<Uint8Array> {
  const name = sourceName(source)
  const chunks = rawChunks(source)
  const head: Uint8Array[] = []
  let size = 0
  while (size < BGZIP_PREFIX) {
    const next = await chunks.next()
    if (next.done) break
    head.push(next.value)
    size += next.value.byteLength
  }
  const prefix = Buffer.concat(head)
  const whole = prepend(prefix, chunks)
  if (!GZIP_MAGIC.every((byte, index) => prefix[index] === byte)) {
    yield* whole
    return
  }
  const gunzip = createGunzip({ chunkSize: 1 << 17 })
  const packed = isBgzip(prefix) ? untilBgzipEnd(whole, name) : whole
  // Errors of either side reach the loop below through the gunzip stream, which pipeline destroys.
  pipeline(Readable.from(packed, { highWaterMark: 1 }), gunzip, () => {})
  try {
    yield* gunzip as AsyncIterable<Uint8Array>
  } catch (cause) {
    if (cause instanceof DeepLiftError || !String((cause as NodeJS.ErrnoException).code).startsWith('Z_'))
      throw cause
    const problem = (cause as Error).message
    throw new DeepLiftError('FILE_FORMAT', `${name} is a damaged or incomplete gzip file (${problem}).`, {
      cause,
      details: { file: name },
    })
  }
}

async function* rawChunks(source: ByteSource): AsyncGenerator<Uint8Array> {
  if (source instanceof Uint8Array) {
    yield source
    return
  }
  if (typeof source !== 'string' && !(source instanceof URL)) {
    for await (const chunk of source) {
      if (!(chunk instanceof Uint8Array))
        throw new DeepLiftError(
          'INVALID_INPUT',
          `A stream of bytes (Uint8Array) is needed; it gave a ${typeof chunk}.`,
        )
      yield chunk
    }
    return
  }
  const handle = await openForReading(sourceName(source))
  try {
    yield* handle.createReadStream({ autoClose: false, highWaterMark: 1 << 18 }) as AsyncIterable<Uint8Array>
  } finally {
    await handle.close()
  }
}

async function* prepend(first: Uint8Array, rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    if (first.byteLength > 0) yield first
    yield* rest
  } finally {
    await rest.return(undefined)
  }
}

function isBgzip(prefix: Buffer): boolean {
  return (
    prefix.length >= BGZIP_PREFIX &&
    ((prefix[3] ?? 0) & 4) !== 0 &&
    prefix.toString('latin1', 12, 14) === 'BC'
  )
}

/** Passes the chunks on and, at their end, refuses a file cut between two blocks: gunzip would not notice. */
async function* untilBgzipEnd(chunks: AsyncGenerator<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  let tail = Buffer.alloc(0)
  for await (const chunk of chunks) {
    tail = Buffer.concat([tail, chunk.subarray(-BGZIP_END.length)]).subarray(-BGZIP_END.length)
    yield chunk
  }
  if (!tail.equals(BGZIP_END))
    throw new DeepLiftError(
      'FILE_FORMAT',
      `${name} is an incomplete bgzip file: the empty block that marks the end is missing.`,
      { details: { file: name } },
    )
}
