/** What paper section 4.2 says about its figures 5a and 6, as numbers that decide it. */

import type { Ledger } from '../ledger.js'
import { mean, median } from '../statistics.js'
import { type Genomics, type MethodScores, scoreOf } from './experiment.js'
import { STRONG } from './motifs.js'
import type { MotifName, Region } from './sequences.js'

/** Tasks of one motif, that motif, and the one that should not matter to them. */
const SINGLE_TASKS: readonly (readonly [task: number, right: MotifName, wrong: MotifName])[] = [
  [1, 'GATA_disc1', 'TAL1_known1'],
  [2, 'TAL1_known1', 'GATA_disc1'],
]

/** Motifs, and the sequences that hold only them. */
const ALONE: readonly (readonly [motif: MotifName, region: Region])[] = [
  ['GATA_disc1', '010'],
  ['TAL1_known1', '001'],
]

/** A motif with less than this share of the other's score is missed: a reading of logos, which show no more of it. */
const MISSED = 0.2

export function claimGenomics(ledger: Ledger, result: Genomics): void {
  separation(ledger, result)
  for (const scores of result.scores) {
    cooperation(ledger, result, scores)
    missedMotif(ledger, result, scores)
    specificity(ledger, result, scores)
  }
}

function strongScores(
  { matches, sequences }: Genomics,
  scores: MethodScores,
  motif: MotifName,
  task: number,
  region?: Region,
): number[] {
  return matches
    .filter((match) => match.motif === motif && match.logOdds >= STRONG)
    .filter(({ sequence }) => region === undefined || sequences[sequence]!.region === region)
    .map((match) => scoreOf(scores, match, task))
}

/** Difference of means in units of the standard deviation. */
function distance(high: readonly number[], low: readonly number[]): number {
  const variance = (values: readonly number[]) => {
    const centre = mean(values)
    return mean(values.map((value) => (value - centre) ** 2))
  }
  return (mean(high) - mean(low)) / Math.sqrt((variance(high) + variance(low)) / 2)
}

/** The motif of a task and the other one should have different scores. */
function separation(ledger: Ledger, result: Genomics): void {
  for (const [task, right, wrong] of SINGLE_TASKS) {
    const distances = result.scores.map((scores) => ({
      method: scores.method,
      value: distance(strongScores(result, scores, right, task), strongScores(result, scores, wrong, task)),
    }))
    distances.sort((a, b) => b.value - a.value)
    ledger.claim(
      `task ${task}: Rescale on conv, RevealCancel on dense tells ${right} from ${wrong} best`,
      distances[0]!.method.id === 'genomics-default',
      `standard deviations between strong matches: ${distances.map(({ method, value }) => `${method.label} ${value.toFixed(2)}`).join('; ')}`,
    )
  }
}

/** Task 0 needs both motifs, so that each should matter more where the other is. */
function cooperation(ledger: Ledger, result: Genomics, scores: MethodScores): void {
  const { id, label } = scores.method
  if (!['guided-backprop', 'genomics-default'].includes(id)) return
  for (const [motif, alone] of ALONE) {
    const together = median(strongScores(result, scores, motif, 0, '111'))
    const single = median(strongScores(result, scores, motif, 0, alone))
    const ratio = together / single
    const evidence = `median ${together.toFixed(2)} beside the other motif, ${single.toFixed(2)} alone`
    if (id === 'guided-backprop')
      ledger.claim(`task 0, ${label}: no cooperativity of ${motif}`, ratio > 0.8 && ratio < 1.25, evidence)
    else ledger.claim(`task 0, ${label}: cooperativity of ${motif}`, ratio > 2, evidence)
  }
}

/** Total scores of the embedded instances of one sequence, by motif. */
function embeddedScores(result: Genomics, scores: MethodScores, sequence: number, task: number) {
  const of = (name: MotifName) =>
    result.sequences[sequence]!.embedded.filter(({ motif }) => motif === name).reduce(
      (sum, { start, end }) => sum + scoreOf(scores, { sequence, start, end }, task),
      0,
    )
  return { gata: of('GATA_disc1'), tal: of('TAL1_known1') }
}

/** Figure 6: on test sequence 731, some methods see only one of the two motifs that task 0 needs. */
function missedMotif(ledger: Ledger, result: Genomics, scores: MethodScores): void {
  const { id, label } = scores.method
  const { gata, tal } = embeddedScores(result, scores, 731, 0)
  const share = Math.min(gata, tal) / Math.max(gata, tal)
  const evidence = `GATA1 ${gata.toFixed(2)}, TAL1 ${tal.toFixed(2)}`
  if (['gradient-times-input', 'integrated-gradients-10', 'rescale'].includes(id))
    ledger.claim(`test sequence 731, ${label}: one motif is missed`, share < MISSED, evidence)
  else if (id !== 'guided-backprop')
    ledger.claim(`test sequence 731, ${label}: both motifs are found`, share > MISSED, evidence)
}

/** Figure 6: on test sequence 197, guided backpropagation gives TAL1 a score for the GATA1 task. */
function specificity(ledger: Ledger, result: Genomics, scores: MethodScores): void {
  const { id, label } = scores.method
  const { gata, tal } = embeddedScores(result, scores, 197, 1)
  const evidence = `GATA1 ${gata.toFixed(2)}, TAL1 ${tal.toFixed(2)}`
  if (id === 'guided-backprop')
    ledger.claim(
      `test sequence 197, ${label}: TAL1 has a score for the GATA1 task`,
      tal > MISSED * gata,
      evidence,
    )
  else if (id === 'genomics-default')
    ledger.claim(
      `test sequence 197, ${label}: TAL1 has none for the GATA1 task`,
      tal < MISSED * gata,
      evidence,
    )
}
