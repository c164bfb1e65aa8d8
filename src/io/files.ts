/**
 * Opening files, with errors that name them, and writing files that appear only when they are complete.
 */

import { createHash, randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { DeepLiftError } from '../errors.js'

/** Opens `path` for reading. The caller closes the handle. */
export async function openForReading(path: string): Promise<FileHandle> {
  let handle: FileHandle | undefined
  try {
    handle = await open(path, 'r')
    if (!(await handle.stat()).isDirectory()) return handle
  } catch (cause) {
    await handle?.close()
    const reason =
      systemCode(cause) === 'ENOENT' ? 'does not exist' : `cannot be opened (${systemCode(cause)})`
    throw new DeepLiftError('FILE_NOT_FOUND', `${path} ${reason}.`, { cause, details: { path } })
  }
  await handle.close()
  throw new DeepLiftError('FILE_NOT_FOUND', `${path} is a folder; a file is needed.`, { details: { path } })
}

/** Bytes that grow, whose first ones are replaced when all are known. */
export interface RowsFile {
  /** How errors name it. */
  readonly path: string
  append(bytes: Uint8Array): Promise<void>
  patch(bytes: Uint8Array, position: number): Promise<void>
  commit(): Promise<void>
  discard(): Promise<void>
}

/** Of a temporary file that are read at once. */
const PIECE_BYTES = 1 << 20

/** Whether a path leads to a file, which unlike a pipe can be read again; what is missing is left to whoever opens it. */
export async function isFile(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isFile(),
    () => true,
  )
}

/**
 * A file that is written under a temporary name in its own folder and gets its real name on `commit`: nobody
 * ever sees half of it, and whatever had that name before is kept until then.
 */
export class OutputFile implements RowsFile {
  #position = 0
  #open = true

  private constructor(
    readonly path: string,
    readonly temporaryPath: string,
    private readonly handle: FileHandle,
  ) {}

  static async create(path: string): Promise<OutputFile> {
    const temporaryPath = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`
    try {
      return new OutputFile(path, temporaryPath, await open(temporaryPath, 'wx+'))
    } catch (cause) {
      const reason =
        systemCode(cause) === 'ENOENT'
          ? `the folder ${dirname(resolve(path))} does not exist`
          : `${systemCode(cause)} in the folder ${dirname(resolve(path))}`
      throw new DeepLiftError('FILE_NOT_FOUND', `${path} cannot be written: ${reason}.`, {
        cause,
        details: { path },
      })
    }
  }

  /** Bytes appended so far. */
  get size(): number {
    return this.#position
  }

  /** Writes all of `bytes` at the end. They may be reused once the promise resolves. */
  async append(bytes: Uint8Array): Promise<void> {
    await this.#writeAt(bytes, this.#position)
    this.#position += bytes.byteLength
  }

  /** Writes parts behind each other at the end, in one call where the system takes them all. */
  async appendAll(parts: readonly Uint8Array[]): Promise<void> {
    let written = 0
    try {
      written = (await this.handle.writev(parts as Uint8Array[], this.#position)).bytesWritten
    } catch (cause) {
      throw cannotWrite(this.path, cause, this.#position)
    }
    this.#position += written
    for (const part of parts) {
      if (written < part.byteLength) await this.append(part.subarray(written))
      written = Math.max(0, written - part.byteLength)
    }
  }

  /** Replaces bytes already written. */
  async patch(bytes: Uint8Array, position: number): Promise<void> {
    await this.#writeAt(bytes, position)
  }

  async #writeAt(bytes: Uint8Array, position: number): Promise<void> {
    let done = 0
    while (done < bytes.byteLength) {
      // Some systems refuse or shorten writes of 2 GiB and more.
      const length = Math.min(bytes.byteLength - done, 1 << 30)
      try {
        done += (await this.handle.write(bytes, done, length, position + done)).bytesWritten
      } catch (cause) {
        throw cannotWrite(this.path, cause, position + done)
      }
    }
  }

  /** What was written so far. Each piece is overwritten by the next. */
  async *pieces(): AsyncGenerator<Uint8Array> {
    const piece = Buffer.alloc(Math.min(PIECE_BYTES, this.#position))
    for (let done = 0; done < this.#position; ) {
      const { bytesRead } = await this.handle.read(piece, 0, piece.length, done)
      if (bytesRead === 0)
        throw new DeepLiftError('INTERNAL', `${this.temporaryPath} became shorter while it was read.`)
      yield piece.subarray(0, bytesRead)
      done += bytesRead
    }
  }

  /** Closes the file but leaves it under its temporary name. */
  async close(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    await this.handle.close()
  }

  /** Gives the complete file its name. */
  async commit(): Promise<void> {
    // Without this a crash of the machine could leave the name pointing at data that never reached the disk.
    try {
      await this.handle.sync()
      await this.close()
      await rename(this.temporaryPath, this.path)
    } catch (cause) {
      throw cannotWrite(this.path, cause, this.#position)
    }
  }

  /** Removes the file. Safe to call at any time, any number of times; after `commit` it does nothing. */
  async discard(): Promise<void> {
    await this.close()
    await rm(this.temporaryPath, { force: true })
  }
}

/** SHA-256 of what is in a file, as hexadecimal digits. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  const handle = await openForReading(path)
  try {
    for await (const chunk of handle.createReadStream({ autoClose: false, highWaterMark: 1 << 20 }))
      hash.update(chunk as Buffer)
  } finally {
    await handle.close()
  }
  return hash.digest('hex')
}

/** Writes a whole file of text. */
export async function writeText(path: string, text: string): Promise<void> {
  const file = await OutputFile.create(path)
  try {
    await file.append(Buffer.from(text, 'utf8'))
    await file.commit()
  } catch (error) {
    await file.discard()
    throw error
  }
}

const REASONS: Record<string, string> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of the disk is used up',
  EFBIG: 'files may not become that large here',
}

/** @param bytes How far the file was written. */
export function cannotWrite(path: string, cause: unknown, bytes?: number): DeepLiftError {
  const code = systemCode(cause)
  const reason = code in REASONS ? `${REASONS[code]} (${code})` : code
  const after = bytes === undefined ? '' : ` after ${bytes} bytes`
  return new DeepLiftError('FILE_NOT_FOUND', `${path} cannot be written: ${reason}${after}.`, {
    cause,
    details: { path },
  })
}

function systemCode(cause: unknown): string {
  return (cause as NodeJS.ErrnoException)?.code ?? String(cause)
}
