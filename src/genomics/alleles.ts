/**
 * The sequences of both alleles of a variant, of one length each.
 *
 * A window of L bases starts ⌊L/2⌋ before the first base of allele 1, so that this base and the first of allele 2
 * have the same index ⌊L/2⌋, and everything on their left is the same in both. What an insertion adds or a deletion
 * takes away is made up on the right: each sequence is the chromosome with its allele, read for L bases from the same
 * start. These are the windows of variant-scorer.
 */

import { checkChoice, checkWholeNumber } from '../options/check.js'
import type { Genome } from './genome.js'
import { UNKNOWN_BASE } from './letters.js'
import { EDGES, type Edges } from './region.js'
import { ALLELE_KINDS, ALLELE_LETTERS, alleleKind, quote, type Variant } from './variant.js'

/**
 * Why a variant has no windows:
 * - `symbolic`, `breakend`, `overlapping`, `missing`: allele 2 is not written in letters
 * - `long`: an allele is longer than the ⌈L/2⌉ bases of the window that begin with it
 * - `mismatch`: allele 1 is not what the genome has
 * - `edge`: a window reaches over an edge of the chromosome
 */
export const SKIP_REASONS = [...ALLELE_KINDS, 'long', 'mismatch', 'edge'] as const
export type SkipReason = (typeof SKIP_REASONS)[number]

/** A variant without windows. */
export interface SkippedVariant {
  variant: Variant
  skipped: SkipReason
  /** In words, with what was expected and found. */
  why: string
}

/** The windows of both alleles. */
export interface Alleles {
  variant: Variant
  /** First position of both windows on the chromosome; below 0 where they are padded over its edge. */
  start: number
  /** `length` base codes of each allele: A 0, C 1, G 2, T 3, unknown 4. */
  allele1: Uint8Array
  allele2: Uint8Array
}

/**
 * The windows of a variant on a genome, or why there are none. Unknown bases of the genome agree with any letter of
 * allele 1, whose own letters are those in the window.
 *
 * @throws {DeepLiftError} INVALID_SEQUENCE for a chromosome that the genome does not have; INVALID_OPTION
 */
export async function allelesOf(
  variant: Variant,
  genome: Genome,
  { length, edges, where }: { length: number; edges: Edges; where?: string },
): Promise<Alleles | SkippedVariant> {
  checkWholeNumber(length, 1, 'allelesOf: length')
  checkChoice(edges, EDGES, 'allelesOf: edges')
  const { chrom } = variant
  const skip = (skipped: SkipReason, why: string): SkippedVariant => ({ variant, skipped, why })
  const kind = alleleKind(variant.allele2)
  if (kind) return skip(kind, `the allele ${quote(variant.allele2)} is not written in letters`)
  const [allele1, allele2] = [codesOf(variant.allele1), codesOf(variant.allele2)]
  const before = Math.floor(length / 2)
  const room = length - before
  const longest = Math.max(allele1.length, allele2.length)
  if (longest > room) return skip('long', `an allele has ${longest} bases; a window has room for ${room}`)
  const size = genome.sizeOf(chrom, where ?? `${chrom}:${variant.start + 1}`)
  const start = variant.start - before
  // A deletion reads on beyond the end of the window of the genome itself.
  const end = start + length + Math.max(0, allele1.length - allele2.length)
  const codes = await genome.codes(chrom, start, end)
  const after = before + allele1.length
  const found = codes.subarray(before, after)
  const inside = variant.start >= 0 && variant.start + allele1.length <= size
  if (!inside || !agree(allele1, found))
    return skip(
      'mismatch',
      `allele 1 is ${quote(variant.allele1)}, the genome has ` +
        (inside ? quote(lettersOf(found)) : `${size} bases on ${chrom}`),
    )
  if (edges === 'drop' && (start < 0 || end > size))
    return skip('edge', `its window reaches over an edge of the chromosome, which has ${size} bases`)
  const splice = (allele: Uint8Array) => {
    const window = new Uint8Array(length)
    window.set(codes.subarray(0, before))
    window.set(allele, before)
    const rest = room - allele.length
    window.set(codes.subarray(after, after + rest), before + allele.length)
    return window
  }
  return { variant, start, allele1: splice(allele1), allele2: splice(allele2) }
}

function codesOf(letters: string): Uint8Array {
  return Uint8Array.from(letters, (letter) => ALLELE_LETTERS[letter.charCodeAt(0)]!)
}

function lettersOf(codes: Uint8Array): string {
  return Array.from(codes, (code) => 'ACGTN'[code]).join('')
}

function agree(allele: Uint8Array, genome: Uint8Array): boolean {
  return allele.every((code, index) => genome[index] === UNKNOWN_BASE || genome[index] === code)
}
