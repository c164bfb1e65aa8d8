/** Sequences of a report: which are shown, and their scores in the form that the page draws. */

import { stretches } from '../formats/bigwig.js'
import { LETTERS, type Site } from '../formats/rows.js'
import type { ScoreFile } from '../formats/score-file.js'
import { SiteList } from '../formats/site-list.js'
import { type Seqlet, SeqletCaller, type SeqletOptions } from '../genomics/seqlets.js'

export interface ReportSequence {
  name: string
  /** Coordinate of the first position. */
  offset: number
  /** Of sequences with a place on a genome. */
  chrom: string | undefined
  /** The positions `[from, to)` of the chromosome that have the scores of this sequence and of no other one here. */
  stretch: [from: number, to: number] | undefined
  /** A, C, G, T, and N for unknown bases. */
  letters: string
  completeness: number | null
  /** Of contributions. */
  sum: number
  highest: number
  lowest: number
  /** Score of one step of {@link projected} and {@link hypothetical}. */
  scale: number
  /** 16-bit steps in base64, `[length]`. */
  projected: string
  /** `[4, length]`; undefined where the file has none. */
  hypothetical: string | undefined
  seqlets: Pick<Seqlet, 'start' | 'end' | 'pValue'>[]
}

export interface ReportData {
  sequences: ReportSequence[]
  /** Seqlets of all sequences, whether shown or not. */
  seqlets: number
  /** Over all sequences; null where the file does not tell. */
  worstCompleteness: number | null
}

interface Totals {
  sum: number
  highest: number
  lowest: number
}

/** A part of those shown that is kept for sequences of the worst completeness. */
const WORST_SHARE = 0.2

const STEPS = 32767

/**
 * The `limit` sequences with the largest contributions, a fifth of them those whose contributions sum up worst where
 * the file tells; all if there are no more.
 */
export async function reportData(
  scores: ScoreFile,
  sites: readonly Site[] | undefined,
  limit: number,
  seqletOptions: SeqletOptions,
): Promise<ReportData> {
  const caller = new SeqletCaller(seqletOptions)
  const totals: Totals[] = []
  for await (const { projected, length } of scores.rows()) {
    caller.measure(projected)
    for (let start = 0; start < projected.length; start += length)
      totals.push(totalsOf(projected.subarray(start, start + length)))
  }
  for await (const { projected } of scores.rows()) caller.count(projected)

  const chosen = choose(totals, scores.completeness, limit)
  const shared = stretchesOf(sites, chosen)
  const sequences: ReportSequence[] = []
  let seqlets = 0
  let row = 0
  for await (const { projected, oneHot, hypothetical, length } of scores.rows())
    for (let start = 0; start < projected.length; start += length, row++) {
      const contributions = projected.subarray(start, start + length)
      const called = caller.call(contributions)
      seqlets += called.length
      if (!chosen.has(row)) continue
      const letters = LETTERS * start
      const values = hypothetical?.subarray(letters, letters + LETTERS * length)
      const scale = largest(values ?? contributions) / STEPS || 1
      const site = sites?.[row]
      const place = site && `${site.chrom}:${site.start}-${site.end}`
      sequences.push({
        name: scores.names?.[row] ?? place ?? `sequence ${row}`,
        offset: site?.start ?? 0,
        chrom: site?.chrom,
        stretch: shared.get(row),
        letters: lettersOf(oneHot.subarray(letters, letters + LETTERS * length), length),
        completeness: scores.completeness?.[row] ?? null,
        ...totals[row]!,
        scale,
        projected: steps(contributions, scale),
        hypothetical: values && steps(values, scale),
        seqlets: called.map(({ start, end, pValue }) => ({ start, end, pValue })),
      })
    }
  return { sequences, seqlets, worstCompleteness: scores.completeness ? largest(scores.completeness) : null }
}

/** Where windows overlap, the one of the nearest summit has a position. */
function stretchesOf(
  sites: readonly Site[] | undefined,
  chosen: ReadonlySet<number>,
): Map<number, [from: number, to: number]> {
  if (!sites) return new Map()
  const rows = [...chosen]
  const list = SiteList.from(rows.map((row) => sites[row]!))
  const unbounded = new Map(sites.map(({ chrom }) => [chrom, Number.POSITIVE_INFINITY]))
  return new Map(Array.from(stretches(list, unbounded), ({ row, from, to }) => [rows[row]!, [from, to]]))
}

function totalsOf(contributions: Float32Array): Totals {
  const totals = { sum: 0, highest: Number.NEGATIVE_INFINITY, lowest: Number.POSITIVE_INFINITY }
  for (const value of contributions) {
    totals.sum += value
    totals.highest = Math.max(totals.highest, value)
    totals.lowest = Math.min(totals.lowest, value)
  }
  return totals
}

function choose(
  totals: readonly Totals[],
  completeness: ArrayLike<number> | undefined,
  limit: number,
): ReadonlySet<number> {
  const rows = [...totals.keys()]
  const byScore = (row: number) => Math.max(totals[row]!.highest, -totals[row]!.lowest)
  const worst = completeness
    ? rows.toSorted((a, b) => completeness[b]! - completeness[a]!).slice(0, Math.floor(WORST_SHARE * limit))
    : []
  const chosen = new Set(worst)
  for (const row of rows.sort((a, b) => byScore(b) - byScore(a))) {
    if (chosen.size >= limit) break
    chosen.add(row)
  }
  return chosen
}

function largest(values: ArrayLike<number>): number {
  let found = 0
  for (let index = 0; index < values.length; index++) found = Math.max(found, Math.abs(values[index]!))
  return found
}

/** Little-endian, as every browser reads typed arrays. */
function steps(values: Float32Array, scale: number): string {
  const rounded = Int16Array.from(values, (value) => Math.round(value / scale))
  return Buffer.from(rounded.buffer).toString('base64')
}

function lettersOf(oneHot: Int8Array, length: number): string {
  return Array.from(
    { length },
    (_, position) => [...'ACGT'].find((__, letter) => oneHot[letter * length + position] !== 0) ?? 'N',
  ).join('')
}
