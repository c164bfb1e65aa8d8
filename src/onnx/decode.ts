/** From a path to bytes, and from bytes to a decoded ModelProto; or to an error that says what the file is instead. */

import { type FileHandle, open } from 'node:fs/promises'
import protobuf from 'protobufjs/minimal.js'
import { DeepLiftError } from '../errors.js'
import { lookalike } from './lookalike.js'
import { onnx } from './onnx.generated.js'
import { readSkeleton, type Skeleton } from './skeleton.js'

/** Protobuf messages cannot be larger than this; larger models keep their weights in side files. */
const MAX_FILE_BYTES = 2 ** 31 - 1

/**
 * Fields and 64-bit integers decoded from one file. Two bytes of file can become an object of a few hundred bytes,
 * so it is their number, not the file's size, that bounds memory (here to about 1 GB). An unrolled recurrent
 * network of 1,800 nodes has about 15,000.
 */
const MAX_ITEMS = 2_000_000

class BoundedReader extends protobuf.BufferReader {
  #left = MAX_ITEMS
  readonly #source: string

  constructor(bytes: Buffer, source: string) {
    super(bytes)
    this.#source = source
  }

  override tag(): number {
    this.#spend()
    return super.tag()
  }

  // Elements of packed lists have no tag of their own; those of other types become plain numbers, which are cheap.
  override int64() {
    this.#spend()
    return super.int64()
  }

  override uint64() {
    this.#spend()
    return super.uint64()
  }

  #spend(): void {
    if (this.#left-- > 0) return
    throw new DeepLiftError(
      'UNSUPPORTED_MODEL',
      `${this.#source}: more than ${MAX_ITEMS} fields and integers by byte ${this.pos}: ` +
        'store long integer tensors as raw_data, which counts once',
      { details: { source: this.#source, offset: this.pos } },
    )
  }
}

/**
 * The bytes of a file; without the values of large tensors, unless it is asked for whole.
 *
 * @throws DeepLiftError FILE_NOT_FOUND when the path is not a readable file, UNSUPPORTED_MODEL when it is too large
 */
export async function readFile(path: string, { whole = false } = {}): Promise<Skeleton> {
  let handle: FileHandle | undefined
  try {
    handle = await open(path)
    const stats = await handle.stat()
    if (!stats.isFile()) {
      throw new DeepLiftError(
        'FILE_NOT_FOUND',
        `${path}: expected an ONNX file, found ${stats.isDirectory() ? 'a folder' : 'a device or pipe'}`,
        { details: { source: path } },
      )
    }
    if (stats.size > MAX_FILE_BYTES) {
      throw new DeepLiftError(
        'UNSUPPORTED_MODEL',
        `${path}: ${stats.size} bytes, but an ONNX file has at most ${MAX_FILE_BYTES}: ` +
          'save the weights as external data',
        { details: { source: path, bytes: stats.size } },
      )
    }
    const skeleton = whole ? undefined : await readSkeleton(handle, stats.size)
    return skeleton ?? { bytes: await handle.readFile(), stored: new Map() }
  } catch (error) {
    if (error instanceof DeepLiftError) throw error
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    throw new DeepLiftError(
      'FILE_NOT_FOUND',
      `${path}: ${missing ? 'no such model file' : `cannot be read: ${(error as Error).message}`}`,
      { details: { source: path }, cause: error },
    )
  } finally {
    await handle?.close()
  }
}

/** @throws DeepLiftError INVALID_MODEL; UNSUPPORTED_MODEL when it would not fit in a sane amount of memory */
export function decode(bytes: Uint8Array, source: string): onnx.ModelProto.$Shape {
  if (bytes.length === 0) {
    throw new DeepLiftError('INVALID_MODEL', `${source}: the file is empty (0 bytes)`, {
      details: { source },
    })
  }
  const reader = new BoundedReader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), source)
  // Unknown fields are metadata and exporters' extensions: keeping them would only cost memory.
  reader.discardUnknown = true
  try {
    return onnx.ModelProto.decode(reader)
  } catch (error) {
    if (error instanceof DeepLiftError) throw error
    throw notOnnx(
      bytes,
      source,
      `the protobuf encoding breaks at byte ${reader.pos} of ${bytes.length} (${(error as Error).message}): ` +
        'the file is truncated or damaged',
      { offset: reader.pos, cause: error },
    )
  }
}

/** An INVALID_MODEL error that says what the file looks like instead, where that is known. */
export function notOnnx(
  bytes: Uint8Array,
  source: string,
  otherwise = 'not an ONNX model',
  { cause, ...facts }: { offset?: number; cause?: unknown } = {},
): DeepLiftError {
  const found = lookalike(bytes, source)
  return new DeepLiftError(
    'INVALID_MODEL',
    `${source}: ${found ? `expected an ONNX model, found ${found}` : otherwise}`,
    { details: { source, ...facts }, cause },
  )
}
