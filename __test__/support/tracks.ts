/** The values of a bigWig, as @gmod/bbi reads them. */

import { BigWig } from '@gmod/bbi'

/** One value per base of `[start, end)`, 0 where there is none. */
export async function readTrack(
  path: string,
  chrom: string,
  start: number,
  end: number,
): Promise<Float64Array> {
  const values = new Float64Array(end - start)
  for (const feature of await new BigWig({ path }).getFeatures(chrom, start, end))
    values.fill(feature.score!, Math.max(start, feature.start) - start, Math.min(end, feature.end) - start)
  return values
}
