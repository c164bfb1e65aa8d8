/** Bytes at any place of a file, or of what a bgzip file unpacks to. */

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
    const bytes = Buffer.alloc(length)
    for (let done = 0; done < length; ) {
      const { bytesRead } = await this.handle.read(bytes, done, length - done, offset + done)
      if (bytesRead === 0) throw cutOff(this.path, offset + length, offset + done)
      done += bytesRead
    }
    return bytes
  }

  async close(): Promise<void> {
    await this.handle.close()
  }
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
