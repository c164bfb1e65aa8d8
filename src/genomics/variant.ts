/** Variants: a place on a genome and the two alleles that are compared there. */

import { DeepLiftError } from '../errors.js'
import { letterTable, REFUSED } from './letters.js'

export interface Variant {
  chrom: string
  /** Where `allele1` begins, 0-based. */
  start: number
  /** Letters that the genome has there, upper case; empty for an insertion that is written without its neighbour. */
  allele1: string
  /** Letters that take their place, upper case, empty for a deletion; or what an {@link AlleleKind} names. */
  allele2: string
  /** The name in the file, or `chrom:position:allele1:allele2` with a 1-based position. */
  id: string
  /** The 1-based line in the file. */
  line: number
}

/**
 * What stands in the place of letters in a VCF file:
 * - `symbolic`: `<DEL>`, `<NON_REF>` and the like
 * - `breakend`: `G]17:198982]`, `.A`, `A.`
 * - `overlapping`: `*`, missing because of a deletion that begins upstream
 * - `missing`: `.`, no alternative was seen
 */
export const ALLELE_KINDS = ['symbolic', 'breakend', 'overlapping', 'missing'] as const
export type AlleleKind = (typeof ALLELE_KINDS)[number]

/** The table of letters of alleles: A 0, C 1, G 2, T 3, other letters of nucleotides 4. */
export const ALLELE_LETTERS = letterTable({})

/** What an allele is that is not written in letters; undefined for letters. */
export function alleleKind(allele: string): AlleleKind | undefined {
  if (allele === '.') return 'missing'
  if (allele === '*') return 'overlapping'
  if (allele.startsWith('<') && allele.endsWith('>')) return 'symbolic'
  if (/[[\]]/.test(allele) || allele.startsWith('.') || allele.endsWith('.')) return 'breakend'
  return undefined
}

/** Where in a file something stands, for errors. */
export interface Place {
  file: string
  line: number
}

export function malformed({ file, line }: Place, column: number, problem: string): DeepLiftError {
  return new DeepLiftError('FILE_FORMAT', `${file}, line ${line}, column ${column}: ${problem}.`, {
    details: { file, line, column },
  })
}

/** A position of a column of numbers. */
export function parsePosition(text: string | undefined, column: number, place: Place): number {
  const value = Number(text)
  if (text === undefined || !/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw malformed(place, column, `expected a position, found ${quote(text ?? '')}`)
  return value
}

/** Letters in upper case. @throws {DeepLiftError} FILE_FORMAT for anything that is no nucleotide */
export function parseLetters(text: string, column: number, place: Place): string {
  for (let index = 0; index < text.length; index++)
    if ((ALLELE_LETTERS[text.charCodeAt(index)] ?? REFUSED) === REFUSED)
      throw malformed(place, column, `expected letters of nucleotides, found ${quote(text)}`)
  return text.toUpperCase()
}

export function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
}

/** The name of a variant that the file does not name. */
export function variantId(chrom: string, start: number, allele1: string, allele2: string): string {
  return `${chrom}:${start + 1}:${allele1 || '-'}:${allele2 || '-'}`
}
