/** Genomes in FASTA, plain or bgzip: parts are found through the index (.fai), in bgzip files through .gzi as well. */

import { DeepLiftError } from '../errors.js'
import { BgzipFile, formatGzi, indexBgzip, isBgzipHead, parseGzi } from '../io/bgzip.js'
import { PlainFile, type RandomAccess } from '../io/random-access.js'
import {
  type FastaIndex,
  type FastaIndexEntry,
  formatFastaIndex,
  indexFasta,
  indexFile,
  parseFastaIndex,
} from './fasta-index.js'
import type { Chromosomes, Lowercase } from './genome.js'
import { letterTable, REFUSED, UNKNOWN_BASE } from './letters.js'

/** @param head The first bytes of the file. */
export async function openFastaGenome(
  path: string,
  head: Buffer,
  lowercase: Lowercase,
  signal?: AbortSignal,
): Promise<Chromosomes> {
  const bgzip = isBgzipHead(head)
  if (!bgzip && head[0] === 0x1f && head[1] === 0x8b)
    throw new DeepLiftError(
      'FILE_FORMAT',
      `${path} is packed with gzip, which cannot be read from the middle; pack it with bgzip instead.`,
      { details: { file: path } },
    )
  const index = await indexFile(path, 'fai', async () => formatFastaIndex(await indexFasta(path, signal)))
  const entries = parseFastaIndex(index.bytes, index.path)
  const file = await PlainFile.open(path)
  try {
    const bytes = bgzip ? await openBgzip(file) : file
    return new FastaGenome(bytes, entries, index.path, codeTable(lowercase))
  } catch (error) {
    await file.close()
    throw error
  }
}

async function openBgzip(file: PlainFile): Promise<BgzipFile> {
  const { bytes, path } = await indexFile(file.path, 'gzi', async () => formatGzi(await indexBgzip(file)))
  return new BgzipFile(file, parseGzi(bytes, path))
}

function codeTable(lowercase: Lowercase): Uint8Array {
  const table = letterTable({ uracil: 't' })
  if (lowercase === 'unknown') for (const letter of 'acgtu') table[letter.charCodeAt(0)] = UNKNOWN_BASE
  return table
}

class FastaGenome implements Chromosomes {
  readonly sizes: ReadonlyMap<string, number>

  constructor(
    private readonly file: RandomAccess,
    private readonly index: FastaIndex,
    private readonly indexPath: string,
    private readonly table: Uint8Array,
  ) {
    this.sizes = new Map([...index].map(([name, { length }]) => [name, length]))
  }

  async read(chrom: string, start: number, end: number): Promise<Uint8Array> {
    const entry = this.index.get(chrom)!
    const from = byteOf(entry, start)
    const bytes = await this.file.read(from, byteOf(entry, end - 1) + 1 - from)
    const codes = new Uint8Array(end - start)
    const { table } = this
    let at = 0
    let all = 0
    for (let position = start; position < end; ) {
      const lineEnd = Math.min(end, position + entry.lineBases - (position % entry.lineBases))
      for (; position < lineEnd; position++) {
        const code = table[bytes[at++]!]!
        codes[position - start] = code
        all |= code
      }
      at += entry.lineBytes - entry.lineBases
    }
    // Bases have codes of few bits: one look at all of them is faster than one at each.
    if (all >= UNKNOWN_BASE << 1) this.#refuseIn(codes, bytes, entry, { chrom, start })
    return codes
  }

  #refuseIn(
    codes: Uint8Array,
    bytes: Uint8Array,
    entry: FastaIndexEntry,
    { chrom, start }: { chrom: string; start: number },
  ): never {
    const position = start + codes.indexOf(REFUSED)
    throw this.#refuse(bytes[byteOf(entry, position) - byteOf(entry, start)]!, chrom, position)
  }

  #refuse(byte: number, chrom: string, position: number): DeepLiftError {
    const found =
      byte < 33 || byte > 126
        ? `the byte 0x${byte.toString(16).padStart(2, '0')}`
        : `'${String.fromCharCode(byte)}'`
    return new DeepLiftError(
      'INVALID_SEQUENCE',
      `${this.file.path}: ${chrom}, position ${position}: found ${found}, which is no base. If the file has changed ` +
        `since ${this.indexPath} was made, delete that index.`,
      { details: { file: this.file.path, chrom, position } },
    )
  }

  async close(): Promise<void> {
    await this.file.close()
  }
}

/** Where a base stands in the unpacked file. */
function byteOf({ offset, lineBases, lineBytes }: FastaIndexEntry, position: number): number {
  return offset + Math.floor(position / lineBases) * lineBytes + (position % lineBases)
}
