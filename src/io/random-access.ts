/** Bytes at any place of a file, or of what a bgzip file unpacks to. */

import { readSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { DeepLiftError } from '../errors.js'
import { openForReading } from './files.js'

export interface RandomAccess {
  readonly path: string
  /** `length` bytes from `offset` on. @throws {DeepLiftError} FILE_FORMAT if they are not all there */
  read(offset: number, length: number): Promise<Buffer>
  close(): Promise<void>
}

export class PlainFile implements RandomAccess {
  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    readonly size: number,
  ) {}

  static async open(path: string): Promise<PlainFile> {
    const handle = await openForReading(path)
    return new PlainFile(path, handle, (await handle.stat()).size)
  }

  async read(offset: number, length: number): Promise<Buffer> {
    // Checked first, so that a wrong index allocates nothing.
    if (offset + length > this.size) throw cutOff(this.path, offset + length, this.size)
    const bytes = Buffer.allocUnsafe(length)
    const done = await readAt(this.handle, bytes, offset)
    if (done < length) throw cutOff(this.path, offset + length, offset + done)
    return bytes
  }

  async close(): Promise<void> {
    await this.handle.close()
  }
}

/**
 * Small reads are done at once: 2 kB of a file in memory take 3 µs, and the way to Node's pool of threads and back ten
 * times as long. Windows of a genome are such reads, as are blocks of bgzip.
 */
const AT_ONCE = 1 << 16

/** Fills `bytes` from `offset` on as far as the file goes, and returns how far. */
export async function readAt(handle: FileHandle, bytes: Buffer, offset: number): Promise<number> {
  const { length } = bytes
  for (let done = 0; done < length; ) {
    const read =
      length <= AT_ONCE
        ? readSync(handle.fd, bytes, done, length - done, offset + done)
        : (await handle.read(bytes, done, length - done, offset + done)).bytesRead
    if (read === 0) return done
    done += read
  }
  return length
}

export function cutOff(path: string, expected: number, found: number): DeepLiftError {
  return new DeepLiftError(
    'FILE_FORMAT',
    `${path}: byte ${expected} is needed, and the file ends at ${found}.`,
    {
      details: { file: path },
    },
  )
}
