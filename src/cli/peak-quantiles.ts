/** Where the predicted counts of an allele stand among those of peaks. */

import { type ReadSettings, readSequences } from '../effects/read-sequences.js'
import { DeepLiftError } from '../errors.js'
import type { Genome } from '../genomics/genome.js'
import type { DeepLift } from '../model.js'
import { usageOf } from './arguments.js'
import { onlyOf } from './effect-columns.js'
import { noRegions, type Window, windowsOf } from './windows.js'

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

/** The predicted counts of the windows of a BED or narrowPeak file. One number per peak is kept in memory. */
export async function peakQuantiles(
  path: string,
  genome: Genome,
  window: Window,
  model: DeepLift,
  settings: ReadSettings,
): Promise<Quantiles> {
  const counts: number[] = []
  let rows = 0
  const dropped: string[] = []
  async function* groups() {
    for await (const { region, why } of windowsOf({ path, source: path }, genome, window)) {
      rows++
      if (typeof region === 'object') {
        const sequence = await genome.codes(region.chrom, region.start, region.end)
        yield { item: undefined, sequences: [sequence] }
      } else if (dropped.length === 0) dropped.push(why!)
    }
  }
  for await (const { readouts, readings } of readSequences(model, groups(), settings)) {
    const index = onlyOf('logfc', readouts)
    if (index === undefined)
      throw usageOf(
        'variants',
        '--peaks compares predicted counts with those of peaks: it takes one --head counts.',
      )
    const value = readings[0]![index] as number
    if (!Number.isFinite(value))
      throw new DeepLiftError('INVALID_INPUT', `${path}: the counts predicted for a peak are ${value}.`)
    counts.push(value)
  }
  if (counts.length === 0) throw noRegions(path, rows, window.length, dropped)
  return new Quantiles(counts)
}
