/** Matches of the two motifs: log-odds of the position weight matrix over the background, the best ones first. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BACKGROUND, LETTERS, type MotifName } from './sequences.js'

/** Share that every base of a matrix gets, so that no log-odds are infinite. */
const PSEUDOCOUNT = 0.001

/** Best matches of one sequence that are looked at, for each motif. */
export const MATCHES_PER_SEQUENCE = 5

/** Log-odds (natural logarithm) from which a match counts as strong. */
export const STRONG = 7

export interface Motif {
  name: MotifName
  label: string
  /** `[position][base]` */
  logOdds: number[][]
}

export interface Match {
  /** `[start, end)` */
  start: number
  end: number
  logOdds: number
}

const LABELS: Readonly<Record<MotifName, string>> = { GATA_disc1: 'GATA1', TAL1_known1: 'TAL1' }

/** Matrices of the ENCODE motifs, from `pwm.json`: rows of A, C, G, T by name of the motif. */
export async function readMotifs(folder: string): Promise<Motif[]> {
  const path = join(folder, 'genomics', 'pwm.json')
  const { pwm } = JSON.parse(await readFile(path, 'utf8')) as { pwm: Record<MotifName, number[][]> }
  return (Object.keys(LABELS) as MotifName[]).map((name) => {
    const rows = pwm[name]
    if (!rows?.every((row) => row.length === LETTERS))
      throw new Error(`${path}: expected pwm.${name} as rows of four frequencies`)
    const logOdds = rows.map((row) =>
      row.map((frequency, base) =>
        Math.log((frequency * (1 - PSEUDOCOUNT) + PSEUDOCOUNT / LETTERS) / BACKGROUND[base]!),
      ),
    )
    return { name, label: LABELS[name], logOdds }
  })
}

/**
 * The best matches, greedily, each excluding starts within half a motif of it. As in the authors' notebook, whose
 * slice `[start - half : start + half - 1]` is empty where `start < half`, a match at the very left excludes nothing,
 * and so is found again.
 */
export function bestMatches(codes: Uint8Array, { logOdds }: Motif): Match[] {
  const width = logOdds.length
  const half = Math.floor(width / 2)
  const starts = Array.from({ length: codes.length - width + 1 }, (_, start) => start)
  const scores = starts.map((start) =>
    logOdds.reduce((sum, row, position) => sum + row[codes[start + position]!]!, 0),
  )
  const free = scores.slice()
  return Array.from({ length: MATCHES_PER_SEQUENCE }, () => {
    const start = free.indexOf(Math.max(...free))
    if (start >= half) free.fill(-Infinity, start - half, start + half - 1)
    return { start, end: start + width, logOdds: scores[start]! }
  })
}
