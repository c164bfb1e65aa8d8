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

import { type Effect, effectOf, type Reading, type Readout } from '../effects/readout.js'
import type { Alleles } from '../genomics/alleles.js'
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
export function columnName(name: string, { effect, label }: Readout, readouts: readonly Readout[]): string {
  return readouts.filter((other) => other.effect === effect).length > 1 ? `${name}.${label}` : name
}

/** The cells of a variant, each with the name of its column; the names are the same for all variants. */
export function variantColumns(
  { variant, allele1: { length } }: Alleles,
  readouts: readonly Readout[],
  [first, second]: readonly Reading[][],
  peaks: Quantiles | undefined,
): Column[] {
  const { chrom, start, allele1, allele2, id } = variant
  const lengths = [allele1.length, allele2.length] as const
  const replacement = { at: Math.floor(length / 2), length, lengths }
  const effects = readouts.map((readout, index) =>
    effectOf(readout, first![index]!, second![index]!, replacement),
  )
  const own = readouts.flatMap((readout, index): Column[] => {
    const { effect } = readout
    const change = effects[index]!
    const prediction = PREDICTION[effect]
    const named = (name: string, cell: unknown): Column => [
      columnName(name, readout, readouts),
      cell as number,
    ]
    if (!prediction) return [named(effect, change)]
    return [
      named(`allele1_${prediction}`, first![index]),
      named(`allele2_${prediction}`, second![index]),
      named(effect, change),
      named(`abs_${effect}`, Math.abs(change)),
    ]
  })
  const at = (effect: Effect) => onlyOf(effect, readouts)
  const [logfc, jsd] = (['logfc', 'jsd'] as const).map((effect) => effects[at(effect) ?? -1])
  const counts = at('logfc')
  const quantiles =
    peaks && counts !== undefined
      ? quantileColumns(peaks.of(first![counts] as number), peaks.of(second![counts] as number), {
          logfc,
          jsd,
        })
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
export function onlyOf(effect: Effect, readouts: readonly Readout[]): number | undefined {
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
