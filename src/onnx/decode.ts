/** From a path to bytes, and from bytes to a decoded ModelProto; or to an error that says what the file is instead. */

import { type FileHandle, open } from 'node:fs/promises'
import protobuf from 'protobufjs/minimal.js'
import { DeepLiftError } from '../errors.js'
import { lookalike } from './lookalike.js'
import { onnx } from './onnx.generated.js'

/** Protobuf messages cannot be larger than this; larger models keep their weights in side files. */
const MAX_FILE_BYTES = 2 ** 31 - 1

/** @throws DeepLiftError FILE_NOT_FOUND when the path is not a readable file, UNSUPPORTED_MODEL when it is too large */
export async function readWhole(path: string): Promise<Uint8Array> {
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
    return await handle.readFile()
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

/** @throws DeepLiftError INVALID_MODEL */
export function decode(bytes: Uint8Array, source: string): onnx.ModelProto.$Shape {
  if (bytes.length === 0) {
    throw new DeepLiftError('INVALID_MODEL', `${source}: the file is empty (0 bytes)`, {
      details: { source },
    })
  }
  const reader = protobuf.Reader.create(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  // Unknown fields are metadata and exporters' extensions: keeping them would only cost memory.
  reader.discardUnknown = true
  try {
    return onnx.ModelProto.decode(reader)
  } catch (error) {
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
