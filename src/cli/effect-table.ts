/**
 * Effects of variants as a table, with the columns of variant-scorer: chr, pos, allele1, allele2, variant_id, then
 *
 * - of a target: `allele1_pred`, `allele2_pred`, `diff`, `abs_diff`
 * - of counts: `allele1_pred_counts`, `allele2_pred_counts`, `logfc`, `abs_logfc`
 * - of a profile: `jsd`
 * - of one of each of the last two: `abs_logfc_x_jsd`
 *
 * Where there are several of a kind, `.` and the target follow the name of the column.
 */

import { type Effect, effectOf, type Reading, type Readout } from '../effects/readout.js'
import type { Alleles } from '../genomics/alleles.js'
import { OutputFile } from '../io/files.js'

/** What predictions are called whose change has this effect; a profile is no number. */
export const PREDICTION: Record<Effect, string | undefined> = {
  diff: 'pred',
  logfc: 'pred_counts',
  jsd: undefined,
}

/** Rows are written at once when they are longer than this. */
const BYTES_PER_WRITE = 1 << 20

type Cell = string | number

/** Lines of tab-separated cells, in a file that has its name only once it is complete. */
export class TableFile {
  #pending = ''

  private constructor(private readonly file: OutputFile) {}

  static async create(path: string): Promise<TableFile> {
    return new TableFile(await OutputFile.create(path))
  }

  async write(cells: readonly Cell[]): Promise<void> {
    this.#pending += `${cells.join('\t')}\n`
    if (this.#pending.length > BYTES_PER_WRITE) await this.#flush()
  }

  async #flush(): Promise<void> {
    await this.file.append(Buffer.from(this.#pending))
    this.#pending = ''
  }

  async commit(): Promise<void> {
    await this.#flush()
    await this.file.commit()
  }

  async discard(): Promise<void> {
    await this.file.discard()
  }
}

/** The name of a column, with the target where readouts have the same effect. */
export function columnName(name: string, { effect, label }: Readout, readouts: readonly Readout[]): string {
  return readouts.filter((other) => other.effect === effect).length > 1 ? `${name}.${label}` : name
}

export function variantHeader(readouts: readonly Readout[]): string[] {
  const columns = readouts.flatMap((readout) => {
    const { effect } = readout
    const prediction = PREDICTION[effect]
    const names = prediction
      ? [`allele1_${prediction}`, `allele2_${prediction}`, effect, `abs_${effect}`]
      : [effect]
    return names.map((name) => columnName(name, readout, readouts))
  })
  const product = productOf(readouts) ? ['abs_logfc_x_jsd'] : []
  return ['chr', 'pos', 'allele1', 'allele2', 'variant_id', ...columns, ...product]
}

/** The only fold change and the only distance, where there is one of each. */
function productOf(readouts: readonly Readout[]): [number, number] | undefined {
  const only = (effect: Effect) => {
    const [first, second] = readouts.flatMap((readout, index) => (readout.effect === effect ? [index] : []))
    return second === undefined ? first : undefined
  }
  const [logfc, jsd] = [only('logfc'), only('jsd')]
  return logfc === undefined || jsd === undefined ? undefined : [logfc, jsd]
}

export function variantRow(
  { variant, allele1: { length } }: Alleles,
  readouts: readonly Readout[],
  [first, second]: readonly Reading[][],
): Cell[] {
  const { chrom, start, allele1, allele2, id } = variant
  const lengths = [allele1.length, allele2.length] as const
  const replacement = { at: Math.floor(length / 2), length, lengths }
  const effects = readouts.map((readout, index) =>
    effectOf(readout, first![index]!, second![index]!, replacement),
  )
  const cells = readouts.flatMap(({ effect }, index) => {
    const change = effects[index]!
    if (!PREDICTION[effect]) return [change]
    return [first![index] as number, second![index] as number, change, Math.abs(change)]
  })
  const product = productOf(readouts)
  const last = product ? [Math.abs(effects[product[0]]!) * effects[product[1]]!] : []
  return [chrom, start + 1, allele1 || '-', allele2 || '-', id, ...cells, ...last]
}
