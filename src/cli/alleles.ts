/** Variants of a file as pairs of windows: which are skipped, and what ends the command. */

import { aborted } from '../caller.js'
import { DeepLiftError } from '../errors.js'
import { type Alleles, allelesOf, SKIP_REASONS, type SkippedVariant } from '../genomics/alleles.js'
import type { Genome } from '../genomics/genome.js'
import { UNKNOWN_BASE } from '../genomics/letters.js'
import type { Edges } from '../genomics/region.js'
import type { Variant } from '../genomics/variant.js'
import { readVariantList, type VariantSchema } from '../genomics/variant-list.js'
import { readVcf } from '../genomics/vcf.js'
import { isFile } from '../io/files.js'
import type { Range } from './jobs/job.js'

/** What happens where the genome does not have the chromosome, or other letters than allele 1. */
export const MISMATCH = ['error', 'skip'] as const
export type Mismatch = (typeof MISMATCH)[number]

/** A file of variants. */
export interface VariantFile {
  path: string
  /** VCF, or a list with these columns. */
  format: 'vcf' | VariantSchema
}

export interface AlleleSettings {
  genome: Genome
  length: number
  edges: Edges
  mismatch: Mismatch
}

/** Why variants are left out: `chromosome` is none of the genome. */
export const LEFT_OUT = [...SKIP_REASONS, 'chromosome'] as const
export type LeftOut = (typeof LEFT_OUT)[number]

/** How many variants have windows, and why others have none. */
export interface AlleleCounts {
  kept: number
  /** Of these, pairs of windows with an unknown base. */
  unknown: number
  skipped: Record<LeftOut, number>
  /** The first variants that are skipped, in words. */
  examples: string[]
}

/** Skipped variants that are shown. */
const SHOWN = 5

function noCounts(): AlleleCounts {
  const skipped = Object.fromEntries(LEFT_OUT.map((reason) => [reason, 0])) as AlleleCounts['skipped']
  return { kept: 0, unknown: 0, skipped, examples: [] }
}

/**
 * Pairs of windows in the order of the file, counted in `counts`.
 *
 * @throws {DeepLiftError} FILE_FORMAT; INVALID_SEQUENCE for a mismatch under the policy `error`, and for a chromosome
 *   that the genome does not have
 */
async function* readAlleles(
  file: VariantFile,
  { genome, length, edges, mismatch }: AlleleSettings,
  counts: AlleleCounts,
): AsyncGenerator<Alleles> {
  const { path, format } = file
  const leaveOut = (variant: Variant, reason: LeftOut, why: string) => {
    counts.skipped[reason]++
    if (counts.examples.length < SHOWN)
      counts.examples.push(`line ${variant.line} (${describe(variant)}): ${why}`)
  }
  for await (const variant of format === 'vcf' ? readVcf(path) : readVariantList(path, format)) {
    if (mismatch === 'skip' && !genome.sizes.has(variant.chrom)) {
      leaveOut(variant, 'chromosome', 'the genome has no such chromosome')
      continue
    }
    const where = `${path}, line ${variant.line}`
    const found = await allelesOf(variant, genome, { length, edges, where })
    if (!('skipped' in found)) {
      counts.kept++
      if (found.allele1.includes(UNKNOWN_BASE) || found.allele2.includes(UNKNOWN_BASE)) counts.unknown++
      yield found
    } else if (found.skipped === 'mismatch' && mismatch === 'error') throw mismatchError(found, where, genome)
    else leaveOut(variant, found.skipped, found.why)
  }
}

function mismatchError({ variant, why }: SkippedVariant, where: string, { path }: Genome): DeepLiftError {
  const { chrom, start, allele1, line } = variant
  return new DeepLiftError(
    'INVALID_SEQUENCE',
    `${where}: ${describe(variant)}: ${why} (${path}). Are the variants of this genome? --mismatch skip leaves out ` +
      'those that do not fit.',
    { details: { line, chrom, position: start + 1, allele1 } },
  )
}

/** `chr1:100 A>C`, with a 1-based position. */
function describe({ chrom, start, allele1, allele2 }: Variant): string {
  const short = (allele: string) => (allele.length > 20 ? `${allele.slice(0, 20)}…` : allele || '-')
  return `${chrom}:${start + 1} ${short(allele1)}>${short(allele2)}`
}

/** Variants of a file, and how many of them have windows. */
export interface AlleleList {
  counts: AlleleCounts
  /** Undefined for a pipe, whose variants are counted as they are read. */
  total: number | undefined
  /** Those with windows, by their number among these. */
  between(range: Range): AsyncGenerator<Alleles>
}

/** One look through a file of variants, so that a wrong one is found before anything is computed. */
export async function openAlleles(
  file: VariantFile,
  settings: AlleleSettings,
  signal: AbortSignal,
): Promise<AlleleList> {
  const counts = noCounts()
  if (!(await isFile(file.path)))
    return { counts, total: undefined, between: () => readAlleles(file, settings, counts) }
  for await (const _ of readAlleles(file, settings, counts))
    if (signal.aborted) throw aborted('Reading variants', signal)
  return { counts, total: counts.kept, between: (range) => allelesBetween(file, settings, range) }
}

async function* allelesBetween(
  file: VariantFile,
  settings: AlleleSettings,
  { first, end }: Range,
): AsyncGenerator<Alleles> {
  let number = 0
  for await (const alleles of readAlleles(file, settings, noCounts())) {
    if (number >= end) return
    if (number++ >= first) yield alleles
  }
}

/** `3 of 10 variants are left out: …`; undefined where none is. */
export function describeSkipped({ kept, skipped, examples }: AlleleCounts): string | undefined {
  const left = Object.values(skipped).reduce((sum, count) => sum + count, 0)
  if (left === 0) return undefined
  const kinds = Object.entries(skipped).flatMap(([reason, count]) =>
    count > 0 ? [`${count} ${reason}`] : [],
  )
  const more = left > examples.length ? `; and ${left - examples.length} more` : ''
  return `${left} of ${kept + left} variants are left out (${kinds.join(', ')}): ${examples.join('; ')}${more}.`
}
