/**
 * Writes zip archives member by member; a stored one may grow and have its first bytes replaced, as .npy files do.
 *
 * Equal contents give equal bytes.
 */

import { crc32, createDeflateRaw } from 'node:zlib'
import { DeepLiftError } from '../errors.js'
import { joinChecksums } from './crc.js'
import { OutputFile, type RowsFile } from './files.js'
import { centralHeader, DEFLATED, endOfArchive, localHeader, type Member, STORED } from './zip-records.js'

/** An archive that has its name only after `finish`; call `abort` if anything fails before. */
export class ZipWriter {
  readonly #members: Member[] = []

  private constructor(private readonly file: OutputFile) {}

  static async create(path: string): Promise<ZipWriter> {
    return new ZipWriter(await OutputFile.create(path))
  }

  /** A member that is stored as it is. It ends with `commit`, before the next one begins. */
  async store(name: string): Promise<RowsFile> {
    const member = await this.#begin(name, STORED)
    return new StoredMember(this.file, member, async () => await this.#end(member))
  }

  /** Adds a whole member, deflated. Pieces may be overwritten by the next. */
  async deflate(name: string, pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    const member = await this.#begin(name, DEFLATED)
    const deflate = createDeflateRaw()
    const feed = async () => {
      for await (const piece of pieces) {
        member.checksum = crc32(piece, member.checksum)
        member.size += piece.byteLength
        await new Promise<void>((taken, failed) => {
          deflate.write(piece, (error) => (error ? failed(error) : taken()))
        })
      }
      deflate.end()
    }
    const fed = feed().catch((error: Error) => deflate.destroy(error))
    for await (const packed of deflate) {
      await this.file.append(packed as Buffer)
      member.packed += (packed as Buffer).byteLength
    }
    await fed
    await this.#end(member)
  }

  async #begin(name: string, method: number): Promise<Member> {
    const bytes = Buffer.from(name, 'utf8')
    const member = { name: bytes, method, offset: this.file.size, checksum: 0, packed: 0, size: 0 }
    this.#members.push(member)
    await this.file.append(localHeader(member))
    return member
  }

  async #end(member: Member): Promise<void> {
    await this.file.patch(localHeader(member), member.offset)
  }

  /** Completes the archive and gives it its name. */
  async finish(): Promise<void> {
    const start = this.file.size
    for (const member of this.#members) await this.file.append(centralHeader(member))
    await this.file.append(endOfArchive(this.#members.length, start, this.file.size))
    await this.file.commit()
  }

  /** Removes what was written. Safe to call at any time, any number of times. */
  async abort(): Promise<void> {
    await this.file.discard()
  }
}

/** What is appended first can be replaced until the end. */
class StoredMember implements RowsFile {
  #head: { checksum: number; length: number } | undefined
  /** Of what follows the head. */
  #checksum = 0
  #length = 0

  constructor(
    private readonly file: OutputFile,
    private readonly member: Member,
    private readonly end: () => Promise<void>,
  ) {}

  get path(): string {
    return this.file.path
  }

  async append(bytes: Uint8Array): Promise<void> {
    const written = this.file.append(bytes)
    if (this.#head) {
      // Counted while the bytes are written.
      this.#checksum = crc32(bytes, this.#checksum)
      this.#length += bytes.byteLength
    } else this.#head = { checksum: crc32(bytes), length: bytes.byteLength }
    await written
  }

  async patch(bytes: Uint8Array): Promise<void> {
    if (bytes.byteLength !== this.#head?.length)
      throw new DeepLiftError('INTERNAL', `${this.path}: a head of another size.`)
    this.#head.checksum = crc32(bytes)
    await this.file.patch(bytes, this.member.offset + localHeader(this.member).length)
  }

  async commit(): Promise<void> {
    const { checksum, length } = this.#head ?? { checksum: 0, length: 0 }
    this.member.size = length + this.#length
    this.member.packed = this.member.size
    this.member.checksum = joinChecksums(checksum, this.#checksum, this.#length)
    await this.end()
  }

  /** It goes with its archive. */
  async discard(): Promise<void> {}
}
