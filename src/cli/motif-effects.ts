/**
 * Effects of motifs in backgrounds: FILE.npz with each, `[backgrounds, motifs]`, and FILE.tsv with their mean and
 * standard deviation over backgrounds.
 *
 * Keys, and columns of the table, of each readout:
 * - of a target: `background_pred`, `pred`, `diff`
 * - of counts: `background_pred_counts`, `pred_counts`, `logfc`
 * - of a profile: `jsd`
 */

import { effectOf, type Reading, type Readout, type ReadoutKind } from '../effects/readout.js'
import type { Motif } from '../genomics/motifs.js'
import { NpzWriter } from '../io/npz-write.js'
import { columnName, PREDICTION } from './effect-columns.js'
import { TableFile } from './table-file.js'

/** Mean and variance of numbers that come one by one (Welford). */
class Moments {
  #count = 0
  #mean = 0
  #squares = 0

  add(value: number): void {
    const change = value - this.#mean
    this.#mean += change / ++this.#count
    this.#squares += change * (value - this.#mean)
  }

  get mean(): number {
    return this.#mean
  }

  /** Standard deviation of a sample; NaN of one number. */
  get deviation(): number {
    return Math.sqrt(this.#squares / (this.#count - 1))
  }
}

/** One key of the archive: of each background a number, or one per motif. */
interface Column {
  key: string
  perMotif: boolean
  /** Whether the table has its standard deviation. */
  spread: boolean
  /** Per motif; one, if it is of the background alone. */
  moments: Moments[]
}

/**
 * The numbers of a background, column by column.
 *
 * @param readings Of the background, and of the same with each motif
 */
export function motifNumbers(
  readouts: readonly Readout[],
  [background, ...inserted]: readonly Reading[][],
): number[] {
  return readouts.flatMap((readout, index) => {
    const before = background![index]!
    const after = inserted.map((readings) => readings[index]!)
    // Nothing is shifted: a motif takes the place of as many bases.
    const effects = after.map((reading) => effectOf(readout, before, reading))
    return PREDICTION[readout.effect] ? [before as number, ...(after as number[]), ...effects] : effects
  })
}

/** How many numbers that are. */
export function numbersPerBackground(readouts: readonly ReadoutKind[], motifs: number): number {
  return readouts.reduce((sum, { effect }) => sum + (PREDICTION[effect] ? 1 + 2 * motifs : motifs), 0)
}

function columnsOf(readouts: readonly ReadoutKind[], motifs: number): Column[] {
  const column = (key: string, perMotif: boolean, spread: boolean): Column => ({
    key,
    perMotif,
    spread,
    moments: Array.from({ length: perMotif ? motifs : 1 }, () => new Moments()),
  })
  return readouts.flatMap((readout) => {
    const prediction = PREDICTION[readout.effect]
    const named = (name: string) => columnName(name, readout, readouts)
    const effect = column(named(readout.effect), true, true)
    if (!prediction) return [effect]
    return [
      column(named(`background_${prediction}`), false, false),
      column(named(prediction), true, false),
      effect,
    ]
  })
}

export class MotifEffects {
  readonly paths: readonly string[]
  backgrounds = 0
  readonly #names: string[] = []
  readonly #columns: Column[]
  #archive: NpzWriter | undefined
  #table: TableFile | undefined

  constructor(
    prefix: string,
    private readonly motifs: readonly (Motif & { position: number })[],
    readouts: readonly ReadoutKind[],
    private readonly provenance: string,
  ) {
    this.paths = [`${prefix}.tsv`, `${prefix}.npz`]
    this.#columns = columnsOf(readouts, motifs.length)
  }

  /** @param numbers As {@link motifNumbers} gives them. */
  async add(name: string, numbers: Float64Array): Promise<void> {
    this.#archive ??= await NpzWriter.create(
      this.paths[1]!,
      this.#columns.map(({ key, perMotif }) => ({
        key,
        dtype: 'float64' as const,
        rowShape: perMotif ? [this.motifs.length] : [],
      })),
    )
    let at = 0
    for (const { key, moments } of this.#columns) {
      const row = numbers.subarray(at, at + moments.length)
      at += moments.length
      for (const [motif, value] of row.entries()) moments[motif]!.add(value)
      await this.#archive.append(key, row)
    }
    this.#names.push(name)
    this.backgrounds++
  }

  async finish(): Promise<void> {
    const [tablePath] = this.paths
    const table = await TableFile.create(tablePath!)
    this.#table = table
    await table.write([
      ...['motif', 'sequence', 'position', 'backgrounds'],
      ...this.#columns.flatMap(({ key, spread }) => (spread ? [key, `${key}_sd`] : [key])),
    ])
    for (const [index, { name, codes, position }] of this.motifs.entries()) {
      const letters = Array.from(codes, (code) => 'ACGTN'[code]).join('')
      const cells = this.#columns.flatMap(({ perMotif, spread, moments }) => {
        const { mean, deviation } = moments[perMotif ? index : 0]!
        return spread ? [mean, deviation] : [mean]
      })
      await table.write([name, letters, position, this.backgrounds, ...cells])
    }
    const archive = this.#archive!
    const text = (data: string[], shape: number[]) => ({ dtype: 'string' as const, shape, data })
    archive.put(
      'motifs',
      text(
        this.motifs.map(({ name }) => name),
        [this.motifs.length],
      ),
    )
    archive.put('backgrounds', text(this.#names, [this.#names.length]))
    archive.put('provenance', text([this.provenance], []))
    await archive.finish()
    await table.commit()
  }

  async abort(): Promise<void> {
    await this.#table?.discard()
    await this.#archive?.abort()
  }
}
