/** What the authors' code (kundajelab/deeplift 0201a21) gives on the same files. */

import type { Ledger } from '../ledger.js'
import { type Genomics, summarise } from './experiment.js'
import type { MotifName, Region } from './sequences.js'

const REGIONS: Readonly<Record<Region, number>> = { '111': 236, '000': 190, '001': 188, '010': 186 }

const AUROC = [0.98918, 0.98845, 0.99706]

/** Half a unit of the last digit of {@link AUROC}. */
const SAME_AUROC = 5e-6

const STRONG_MATCHES: Readonly<Record<MotifName, number>> = { GATA_disc1: 313, TAL1_known1: 398 }

/** Strong matches with a score of 0 or less on task 0. */
const FALSE_NEGATIVES: Readonly<Record<string, Readonly<Record<MotifName, number>>>> = {
  'guided-backprop': { GATA_disc1: 0, TAL1_known1: 0 },
  'gradient-times-input': { GATA_disc1: 12, TAL1_known1: 46 },
  'integrated-gradients-10': { GATA_disc1: 20, TAL1_known1: 32 },
  rescale: { GATA_disc1: 14, TAL1_known1: 28 },
  'reveal-cancel': { GATA_disc1: 0, TAL1_known1: 0 },
  'genomics-default': { GATA_disc1: 0, TAL1_known1: 0 },
  'genomics-default-shuffled': { GATA_disc1: 0, TAL1_known1: 0 },
}

/** Median score of strong TAL1 matches on the GATA1 task, where 0 is right. */
const UNSPECIFIC: Readonly<Record<string, number>> = { 'guided-backprop': 3.88, 'reveal-cancel': -0.21 }

/** Half a unit of the last digit of {@link UNSPECIFIC}. */
const SAME_MEDIAN = 5e-3

const GATA_TASK = 1

/**
 * Largest residual of a complete method: float32 rounding of sums of 800 contributions, on differences up to 21. The
 * original, also float32, has up to 8e-6.
 */
const LARGEST_RESIDUAL = 2e-5

/** Residuals of the others as the original has them, which say "up to 27" and "up to 2.2". */
const INCOMPLETE: Readonly<Record<string, readonly [residual: number, tolerance: number]>> = {
  'gradient-times-input': [27, 0.5],
  'integrated-gradients-10': [2.2, 0.05],
}

export function compareGenomics(ledger: Ledger, result: Genomics): void {
  for (const [region, expected] of Object.entries(REGIONS)) {
    const found = result.sequences.filter((sequence) => sequence.region === region).length
    ledger.compare(`genomics: test sequences of ${region}`, found, expected, 0)
  }
  for (const [task, expected] of AUROC.entries())
    ledger.compare(`genomics: test auROC of task ${task}`, result.auroc[task]!, expected, SAME_AUROC)
  for (const scores of result.scores) {
    const { method, residual } = scores
    for (const { motif, matches, withoutScore, medians } of summarise(result, scores)) {
      const name = `genomics, ${method.label}`
      ledger.compare(`${name}: strong matches of ${motif}`, matches, STRONG_MATCHES[motif], 0)
      const expected = FALSE_NEGATIVES[method.id]![motif]
      ledger.compare(`${name}: false negatives of ${motif}`, withoutScore[0]!, expected, 0)
      const unspecific = UNSPECIFIC[method.id]
      if (motif === 'TAL1_known1' && unspecific !== undefined)
        ledger.compare(
          `${name}: median score of ${motif} on the GATA1 task`,
          medians[GATA_TASK]!,
          unspecific,
          SAME_MEDIAN,
        )
    }
    if (method.complete)
      ledger.claim(
        `genomics, ${method.label}: contributions sum to the difference of the logit`,
        residual <= LARGEST_RESIDUAL,
        `largest residual ${residual.toExponential(1)}`,
      )
    const incomplete = INCOMPLETE[method.id]
    if (incomplete) ledger.compare(`genomics, ${method.label}: largest residual`, residual, ...incomplete)
  }
}
