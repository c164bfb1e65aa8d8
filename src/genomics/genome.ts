/** A genome of which parts are read as they are needed: FASTA, plain or bgzip, or 2bit. */

import { DeepLiftError } from '../errors.js'
import { openForReading } from '../io/files.js'
import { checkChoice, checkKeys } from '../options/check.js'
import { openFastaGenome } from './fasta-genome.js'
import { UNKNOWN_BASE } from './letters.js'
import { isTwoBit, openTwoBit } from './two-bit.js'

export const LOWERCASE = ['upper', 'unknown'] as const
export type Lowercase = (typeof LOWERCASE)[number]

export interface GenomeOptions {
  /** Lower case, which marks repeats: read as upper case, or as unknown bases. Default `'upper'`. */
  lowercase?: Lowercase
  /** Ends the making of an index, which reads the whole file. */
  signal?: AbortSignal
}

/** Where the sequences of chromosomes are. */
export interface Chromosomes {
  /** Lengths by name, in the order of the file. */
  readonly sizes: ReadonlyMap<string, number>
  /** Base codes of `[start, end)`, which lies on the chromosome. */
  read(chrom: string, start: number, end: number): Promise<Uint8Array>
  close(): Promise<void>
}

/**
 * ```ts
 * const genome = await Genome.open('genome.fa')
 * const codes = await genome.codes('chr1', 1000, 1200) // one byte per base, 0-based and half-open
 * await genome.close()
 * ```
 */
export class Genome {
  private constructor(
    readonly path: string,
    private readonly chromosomes: Chromosomes,
  ) {}

  /**
   * Opens a genome by its content. A missing index of a FASTA file (.fai, and .gzi for bgzip) is made next to it, or
   * in the cache of the user where that folder cannot be written.
   *
   * @throws {DeepLiftError} FILE_NOT_FOUND, FILE_FORMAT; ABORTED; INVALID_OPTION
   */
  static async open(path: string, options: GenomeOptions = {}): Promise<Genome> {
    checkKeys(options, ['lowercase', 'signal'], 'Genome.open')
    const lowercase = checkChoice(options.lowercase ?? 'upper', LOWERCASE, 'Genome.open: lowercase')
    const handle = await openForReading(path)
    const head = Buffer.alloc(18)
    const { bytesRead } = await handle.read(head, 0, head.length, 0).finally(() => handle.close())
    const start = head.subarray(0, bytesRead)
    const chromosomes = isTwoBit(start)
      ? await openTwoBit(path, lowercase)
      : await openFastaGenome(path, start, lowercase, options.signal)
    return new Genome(path, chromosomes)
  }

  /** Lengths of chromosomes by name, in the order of the file. */
  get sizes(): ReadonlyMap<string, number> {
    return this.chromosomes.sizes
  }

  /** The length of a chromosome. @throws {DeepLiftError} INVALID_SEQUENCE if there is none of this name */
  sizeOf(chrom: string, where: string): number {
    const size = this.sizes.get(chrom)
    if (size !== undefined) return size
    const names = [...this.sizes.keys()]
    const other = chrom.startsWith('chr') ? chrom.slice(3) : `chr${chrom}`
    const hint = this.sizes.has(other)
      ? ` It has ${JSON.stringify(other)}: one of the two files writes names with "chr", the other without.`
      : ''
    const shown = names.slice(0, 10).join(', ')
    throw new DeepLiftError(
      'INVALID_SEQUENCE',
      `${where}: ${this.path} has no chromosome ${JSON.stringify(chrom)}, only ${shown}` +
        `${names.length > 10 ? ` and ${names.length - 10} more` : ''}.${hint}`,
      { details: { chrom, file: this.path } },
    )
  }

  /**
   * Base codes of `[start, end)`: A 0, C 1, G 2, T 3, unknown 4. Positions beyond the edges of the chromosome are unknown.
   */
  async codes(chrom: string, start: number, end: number): Promise<Uint8Array> {
    const size = this.sizeOf(chrom, `${chrom}:${start}-${end}`)
    const from = Math.min(Math.max(start, 0), size)
    const to = Math.max(Math.min(end, size), from)
    const inside = to > from ? await this.chromosomes.read(chrom, from, to) : new Uint8Array(0)
    if (inside.length === end - start) return inside
    const codes = new Uint8Array(end - start).fill(UNKNOWN_BASE)
    if (inside.length > 0) codes.set(inside, from - start)
    return codes
  }

  async close(): Promise<void> {
    await this.chromosomes.close()
  }
}
