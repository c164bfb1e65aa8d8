/**
 * Regions: windows of a genome that are scored, and the rows of a BED file that they come from.
 *
 * Positions are 0-based, intervals half-open. A window of length L is centred on c, the summit of a narrowPeak row
 * (start + column 10) or the middle of any other, rounded down: it is [c − ⌊L/2⌋, c − ⌊L/2⌋ + L), as ChromBPNet and
 * BPNet cut theirs for even L. The strand is kept, and does not turn the window.
 */

import { checkChoice, checkWholeNumber } from '../options/check.js'

export type Strand = '+' | '-' | '.'

/** A row of a BED file of 3 columns or more, or of a narrowPeak file. */
export interface BedRow {
  chrom: string
  start: number
  end: number
  /** Column 4; undefined where the file has none, or a dot. */
  name: string | undefined
  strand: Strand
  /** Where its window is centred. */
  summit: number
  /** The 1-based line in the file. */
  line: number
  /** The number of the row from 0: comments and headers do not count. */
  row: number
  /** The row as it stands in the file, without the end of the line. */
  text: string
}

/** The window of a row. */
export interface Region {
  chrom: string
  /** First position of the window; below 0 where it is padded over the edge of the chromosome. */
  start: number
  end: number
  summit: number
  strand: Strand
  /** Column 4 of the row, or `chrom:start-end` of the window. */
  name: string
  /** The row it comes from. */
  row: BedRow
}

/**
 * What happens to a window that reaches over an edge of its chromosome: it is left out, or padded with unknown bases.
 */
export const EDGES = ['drop', 'pad'] as const
export type Edges = (typeof EDGES)[number]

/**
 * Why a row has no window:
 * - `edge`: its window reaches over an edge of the chromosome
 * - `outside`: the centre lies beyond the end of the chromosome, so the row belongs to another genome
 */
export const DROP_REASONS = ['edge', 'outside'] as const
export type DropReason = (typeof DROP_REASONS)[number]

/**
 * The window of `length` bases of a row on a chromosome of `size` bases, or why there is none.
 *
 * @throws {DeepLiftError} INVALID_OPTION
 */
export function windowOf(row: BedRow, length: number, size: number, edges: Edges): Region | DropReason {
  checkWholeNumber(length, 1, 'windowOf: length')
  checkChoice(edges, EDGES, 'windowOf: edges')
  const { chrom, summit, strand } = row
  if (summit >= size) return 'outside'
  const start = summit - Math.floor(length / 2)
  const end = start + length
  if (edges === 'drop' && (start < 0 || end > size)) return 'edge'
  return { chrom, start, end, summit, strand, name: row.name ?? `${chrom}:${start}-${end}`, row }
}
