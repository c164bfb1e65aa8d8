/**
 * External data: weights that lie in side files beside the model, PyTorch's default.
 *
 * The model names the file, and a model may come from anyone, so the name is confined to the model's folder:
 * no absolute path, no `..`, no symbolic link that leads out, no hard link (which has no folder to be inside
 * of), regular files only. The file that was checked is the file that is read: by one descriptor, whose identity
 * is compared with the checked one, or by native code, which compares it again. Class of CVE-2022-25882 and CVE-2024-27318.
 */

import type { BigIntStats } from 'node:fs'
import { constants } from 'node:fs'
import { type FileHandle, lstat, open, realpath } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { DeepLiftError } from '../errors.js'
import type { onnx } from './onnx.generated.js'
import { LARGE } from './skeleton.js'
import type { WireTensor } from './wire.js'

/** One tensor's bytes in a side file. Reading fills `tensor.data`. */
export interface ExternalRange {
  tensor: WireTensor
  /** How messages name the tensor. */
  what: string
  /** Relative to the model's folder, with forward slashes. */
  location: string
  offset: number
  byteLength: number
}

/** Bytes per read call: the largest that every platform's read(2) takes is just under 2 GiB. */
const READ_CHUNK = 1 << 30

/**
 * Reads the entries of TensorProto.external_data.
 *
 * @throws DeepLiftError EXTERNAL_DATA when the location could leave the folder, or a number is malformed
 */
export function parseExternalRange(
  tensor: WireTensor,
  what: string,
  entries: readonly onnx.StringStringEntryProto.$Shape[],
  byteLength: number,
  source: string,
): ExternalRange {
  const fail = (message: string) =>
    externalError(`${source}: ${what}: ${message}`, { source, tensor: tensor.name })
  const values = new Map<string, string>()
  for (const { key, value } of entries) {
    if (values.has(key ?? '')) throw fail(`external data gives "${key}" twice`)
    values.set(key ?? '', value ?? '')
  }
  const integer = (key: string): number | undefined => {
    const text = values.get(key)
    if (text === undefined) return undefined
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
    if (!Number.isSafeInteger(value)) {
      throw fail(`external data has ${key} ${JSON.stringify(text)}; expected a non-negative integer`)
    }
    return value
  }
  const location = values.get('location')
  if (location === undefined) throw fail('external data names no file (no "location" entry)')
  const danger = escapeOf(location)
  if (danger !== undefined) {
    throw fail(
      `external data location ${JSON.stringify(location)} ${danger}; expected a relative path inside the model's folder`,
    )
  }
  const length = integer('length')
  if (length !== undefined && length !== byteLength) {
    throw fail(`external data has length ${length}; its shape and type need ${byteLength} bytes`)
  }
  return { tensor, what, location, offset: integer('offset') ?? 0, byteLength }
}

/** Why a location could lead out of the folder, judged as every platform would read it; undefined if it cannot. */
function escapeOf(location: string): string | undefined {
  if (location === '') return 'is empty'
  if (location.includes('\0')) return 'contains a NUL character'
  if (location.includes('\\')) return 'contains a backslash'
  // A drive letter, or an alternate data stream of NTFS.
  if (location.includes(':')) return 'contains a colon'
  if (location.startsWith('/') || isAbsolute(location)) return 'is an absolute path'
  if (location.split('/').includes('..')) return 'contains ".."'
  return undefined
}

/**
 * Fills the data of every range from the files beside the model; what is large stays there.
 *
 * Each tensor gets an array of its own, except that identical ranges share one. Distinct ranges may not add up
 * to more than their file holds, so memory is bounded by the files on disk.
 *
 * @throws DeepLiftError EXTERNAL_DATA naming file and tensor
 */
export async function readExternalData(modelPath: string, ranges: readonly ExternalRange[]): Promise<void> {
  const byLocation = new Map<string, ExternalRange[]>()
  for (const range of ranges) {
    const group = byLocation.get(range.location)
    if (group) group.push(range)
    else byLocation.set(range.location, [range])
  }
  for (const group of byLocation.values()) await readSideFile(modelPath, group)
}

async function readSideFile(modelPath: string, ranges: readonly ExternalRange[]): Promise<void> {
  const first = ranges[0]!
  const fail = (range: ExternalRange, message: string, cause?: unknown) =>
    externalError(
      `${modelPath}: ${range.what} is stored in "${range.location}", ${message}`,
      { source: modelPath, tensor: range.tensor.name, file: range.location },
      cause,
    )
  const { handle, size, path, identity } = await openConfined(modelPath, first.location, (message, cause) =>
    fail(first, message, cause),
  )
  try {
    const read = new Map<string, Uint8Array>()
    let total = 0
    for (const range of ranges) {
      const { offset, byteLength } = range
      if (offset + byteLength > size) {
        throw fail(
          range,
          `at bytes ${offset} to ${offset + byteLength}, but the file has ${size} bytes: ` +
            'it is truncated or belongs to another model',
        )
      }
      const key = `${offset}:${byteLength}`
      let data = read.get(key)
      if (data === undefined) {
        total += byteLength
        if (total > size) throw fail(range, 'and ranges of that file overlap')
        if (byteLength >= LARGE) {
          range.tensor.stored = { path, offset, identity }
          continue
        }
        data = await readRange(handle, offset, byteLength)
        if (data === undefined) throw fail(range, 'which became shorter while it was read')
        read.set(key, data)
      }
      range.tensor.data = data
    }
  } finally {
    await handle.close()
  }
}

type Fail = (message: string, cause?: unknown) => DeepLiftError

async function openConfined(
  modelPath: string,
  location: string,
  fail: Fail,
): Promise<{ handle: FileHandle; size: number; path: string; identity: string }> {
  const folder = await realpath(dirname(resolve(modelPath)))
  const candidate = join(folder, ...location.split('/'))
  try {
    const path = await realpath(candidate)
    if (!isInside(folder, path)) {
      throw fail(
        `a symbolic link that leads out of the model's folder to ${path}: copy the file itself beside the model`,
      )
    }
    const checked = await lstat(path, { bigint: true })
    refuseUnlessPlain(checked, fail)
    // O_NONBLOCK: should the path become a pipe after the check, opening it must not wait for a writer.
    const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
    const handle = await open(path, flags)
    try {
      const opened = await handle.stat({ bigint: true })
      refuseUnlessPlain(opened, fail)
      if (opened.dev !== checked.dev || opened.ino !== checked.ino)
        throw fail('which was replaced while it was opened')
      return { handle, size: Number(opened.size), path, identity: `${opened.dev}:${opened.ino}` }
    } catch (error) {
      await handle.close()
      throw error
    }
  } catch (error) {
    if (error instanceof DeepLiftError) throw error
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw fail(
        `which is not in ${folder}: put it beside the model (exporters write it there; move both files together)`,
        error,
      )
    }
    throw fail(`which cannot be opened: ${(error as Error).message}`, error)
  }
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path)
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

function refuseUnlessPlain(stats: BigIntStats, fail: Fail): void {
  if (!stats.isFile()) throw fail('which is not a regular file')
  if (stats.nlink > 1n) {
    throw fail(
      `which has ${stats.nlink} hard links, so it may be a file from outside the model's folder under another ` +
        'name: replace it with a copy of its own',
    )
  }
}

/** Undefined when the file ends before the range does. */
async function readRange(
  handle: FileHandle,
  offset: number,
  byteLength: number,
): Promise<Uint8Array | undefined> {
  const data = new Uint8Array(byteLength)
  let done = 0
  while (done < byteLength) {
    const length = Math.min(READ_CHUNK, byteLength - done)
    const { bytesRead } = await handle.read(data, done, length, offset + done)
    if (bytesRead === 0) return undefined
    done += bytesRead
  }
  return data
}

function externalError(message: string, details: Record<string, unknown>, cause?: unknown): DeepLiftError {
  return new DeepLiftError('EXTERNAL_DATA', message, cause === undefined ? { details } : { details, cause })
}
