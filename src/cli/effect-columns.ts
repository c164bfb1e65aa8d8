/**
 * Columns of effects, named as those of variant-scorer: chr, pos, allele1, allele2, variant_id, then
 *
 * - of a target: `allele1_pred`, `allele2_pred`, `diff`, `abs_diff`
 * - of counts: `allele1_pred_counts`, `allele2_pred_counts`, `logfc`, `abs_logfc`
 * - of a profile: `jsd`
 * - of one of each of the last two: `logfc_x_jsd`, `abs_logfc_x_jsd`
 * - of counts beside those of peaks: `allele1_quantile`, `allele2_quantile`, `active_allele_quantile` (the larger of
 *   them), `quantile_change`, `abs_quantile_change`, and products of the larger with all effects
 *
 * Where there are several of a kind, `.` and the target follow the name of the column.
 */

import { type Effect, effectOf, type Reading, type Readout, type ReadoutKind } from '../effects/readout.js'
import type { Alleles } from '../genomics/alleles.js'
import type { Variant } from '../genomics/variant.js'
import type { Quantiles } from './peak-quantiles.js'
import type { Cell } from './table-file.js'

/** What predictions are called whose change has this effect; a profile is no number. */
export const PREDICTION: Record<Effect, string | undefined> = {
  diff: 'pred',
  logfc: 'pred_counts',
  jsd: undefined,
}

type Column = readonly [name: string, cell: Cell]

/** The name of a column, with the target where readouts have the same effect. */
export function columnName(
  name: string,
  { effect, label }: ReadoutKind,
  readouts: readonly ReadoutKind[],
): string {
  return readouts.filter((other) => other.effect === effect).length > 1 ? `${name}.${label}` : name
}

/** Numbers of a readout of a variant: both alleles, which of a profile are NaN, and the effect. */
export const PER_READOUT = 3

export function variantNumbers(
  { variant: { allele1, allele2 }, allele1: { length } }: Alleles,
  readouts: readonly Readout[],
  [first, second]: readonly Reading[][],
): number[] {
  const replacement = {
    at: Math.floor(length / 2),
    length,
    lengths: [allele1.length, allele2.length] as const,
  }
  return readouts.flatMap((readout, index) => {
    const [before, after] = [first![index]!, second![index]!]
    const [a, b] = [before, after].map((each) => (typeof each === 'number' ? each : Number.NaN))
    return [a!, b!, effectOf(readout, before, after, replacement)]
  })
}

/** The cells of a variant, each with the name of its column; the names are the same for all variants. */
export function variantColumns(
  { chrom, start, allele1, allele2, id }: Variant,
  readouts: readonly ReadoutKind[],
  numbers: ArrayLike<number>,
  peaks: Quantiles | undefined,
): Column[] {
  const numberOf = (readout: number, which: number) => numbers[PER_READOUT * readout + which]!
  const own = readouts.flatMap((readout, index): Column[] => {
    const { effect } = readout
    const change = numberOf(index, 2)
    const prediction = PREDICTION[effect]
    const named = (name: string, cell: number): Column => [columnName(name, readout, readouts), cell]
    if (!prediction) return [named(effect, change)]
    return [
      named(`allele1_${prediction}`, numberOf(index, 0)),
      named(`allele2_${prediction}`, numberOf(index, 1)),
      named(effect, change),
      named(`abs_${effect}`, Math.abs(change)),
    ]
  })
  const [logfc, jsd] = (['logfc', 'jsd'] as const).map((effect) => {
    const only = onlyOf(effect, readouts)
    return only === undefined ? undefined : numberOf(only, 2)
  })
  const counts = onlyOf('logfc', readouts)
  const quantiles =
    peaks && counts !== undefined
      ? quantileColumns(peaks.of(numberOf(counts, 0)), peaks.of(numberOf(counts, 1)), { logfc, jsd })
      : []
  return [
    ['chr', chrom],
    ['pos', start + 1],
    ['allele1', allele1 || '-'],
    ['allele2', allele2 || '-'],
    ['variant_id', id],
    ...own,
    ...products({ logfc, jsd }),
    ...quantiles,
  ]
}

/** The number of the only readout with this effect. */
export function onlyOf(effect: Effect, readouts: readonly ReadoutKind[]): number | undefined {
  const [first, second] = readouts.flatMap((readout, index) => (readout.effect === effect ? [index] : []))
  return second === undefined ? first : undefined
}

interface Effects {
  logfc: number | undefined
  jsd: number | undefined
}

function products({ logfc, jsd }: Effects): Column[] {
  if (logfc === undefined || jsd === undefined) return []
  return [
    ['logfc_x_jsd', logfc * jsd],
    ['abs_logfc_x_jsd', Math.abs(logfc) * jsd],
  ]
}

function quantileColumns(first: number, second: number, effects: Effects): Column[] {
  const active = Math.max(first, second)
  const { logfc, jsd } = effects
  const all: Column[] = [
    ...(logfc === undefined
      ? []
      : ([
          ['logfc', logfc],
          ['abs_logfc', Math.abs(logfc)],
        ] as const)),
    ...(jsd === undefined ? [] : ([['jsd', jsd]] as const)),
    ...products(effects),
  ]
  return [
    ['allele1_quantile', first],
    ['allele2_quantile', second],
    ['active_allele_quantile', active],
    ['quantile_change', second - first],
    ['abs_quantile_change', Math.abs(second - first)],
    ...all.map(([name, value]): Column => [`${name}_x_active_allele_quantile`, (value as number) * active]),
  ]
}
