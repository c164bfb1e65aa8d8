/** Where the predicted counts of an allele stand among those of peaks. */

import { type ReadSettings, readSequences } from '../effects/read-sequences.js'
import { DeepLiftError } from '../errors.js'
import type { Genome } from '../genomics/genome.js'
import type { Region } from '../genomics/region.js'
import type { DeepLift } from '../model.js'
import { usageOf } from './arguments.js'
import { onlyOf } from './effect-columns.js'
import type { Pass, Range, Results } from './jobs/job.js'
import { type ReadingBatch, readingBatches } from './reading-batches.js'
import { readingCost } from './reading-cost.js'
import { openBed, surveyRegions, type Window, windowsBetween } from './windows.js'

export class Quantiles {
  readonly #sorted: Float64Array

  constructor(values: readonly number[]) {
    this.#sorted = Float64Array.from(values).sort()
  }

  /** The share of values below this one; of the smallest as much as of one value, as in variant-scorer. */
  of(value: number): number {
    let [from, to] = [0, this.#sorted.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if (this.#sorted[middle]! < value) from = middle + 1
      else to = middle
    }
    return Math.max(from, 1) / this.#sorted.length
  }
}

export type PeakPass = Pass<ReadingBatch<Region>>

/** The predicted counts of the windows of a BED or narrowPeak file. */
export async function peakPass(
  path: string,
  genome: Genome,
  window: Window,
  model: DeepLift,
  settings: ReadSettings,
): Promise<PeakPass> {
  const counts = onlyOf('logfc', settings.plan.kinds)
  if (counts === undefined)
    throw usageOf(
      'variants',
      '--peaks compares predicted counts with those of peaks: it takes one --head counts.',
    )
  const bed = await openBed(path)
  const { summary } = await surveyRegions(bed, genome, window)
  const records = (range: Range) => windowsBetween(bed, genome, window, range)
  async function* groups(range: Range) {
    for await (const item of records(range))
      yield { item, sequences: [await genome.codes(item.chrom, item.start, item.end)] }
  }
  async function* rows(range: Range, onProgress: ReadSettings['onProgress']) {
    const own = { ...settings, ...(onProgress && { onProgress }) }
    for await (const { item, readings } of readSequences(model, groups(range), own)) {
      const value = readings[0]![counts!] as number
      if (!Number.isFinite(value))
        throw new DeepLiftError('INVALID_INPUT', `${path}: the counts predicted for a peak are ${value}.`)
      yield { record: item, numbers: [value] }
    }
  }
  return {
    unit: 'peaks',
    examples: summary.kept,
    cost: async () => await readingCost(model, groups({ first: 0, end: 1 }), settings, 1),
    compute: (range, onProgress) => readingBatches(rows(range, onProgress), range.first),
    records,
  }
}

/** One number per peak is kept in memory. */
export async function quantilesOf(batches: AsyncIterable<Results<ReadingBatch<Region>>>): Promise<Quantiles> {
  const values: number[] = []
  for await (const { numbers } of batches) values.push(...numbers.data)
  return new Quantiles(values)
}
