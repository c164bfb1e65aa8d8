/** Where the sequences of a file of scores lie: the rows of a BED file that were scored, in their order. */

import { DeepLiftError } from '../errors.js'
import type { Site } from '../formats/rows.js'
import type { ScoreFile } from '../formats/score-file.js'
import { readBed } from '../genomics/bed.js'
import { windowOf } from '../genomics/region.js'

/** The sites of the file itself, or of the BED file if one is given. */
export async function sitesOf(
  scores: ScoreFile,
  bed: string | undefined,
): Promise<readonly Site[] | undefined> {
  if (bed === undefined) return scores.sites
  const sites: Site[] = []
  for await (const row of readBed(bed)) {
    const region = windowOf(row, scores.length, Number.POSITIVE_INFINITY, 'pad')
    if (typeof region === 'object') sites.push(region)
  }
  if (sites.length !== scores.count)
    throw new DeepLiftError(
      'INVALID_INPUT',
      `${bed} has ${sites.length} rows, the scores are of ${scores.count} sequences: give the rows that were scored, ` +
        'in their order (score writes them as .regions.bed).',
    )
  return sites
}
