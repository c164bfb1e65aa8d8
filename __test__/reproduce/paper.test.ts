/**
 * Experiments A and B of examples/reproduce, over the authors' networks and data, compared with the numbers of their
 * code: those that the command compares, and the finer ones of the conformance data.
 */

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { claimGenomics } from '../../examples/reproduce/genomics/claims.js'
import { compareGenomics } from '../../examples/reproduce/genomics/expected.js'
import {
  type Genomics,
  type MethodScores,
  motifExperiment,
  summarise,
} from '../../examples/reproduce/genomics/experiment.js'
import { LENGTH, type MotifName, type Region, TASKS } from '../../examples/reproduce/genomics/sequences.js'
import { Ledger } from '../../examples/reproduce/ledger.js'
import { compareMnist } from '../../examples/reproduce/mnist/expected.js'
import { eraseExperiment } from '../../examples/reproduce/mnist/experiment.js'
import { auroc, mean, quantile, sum } from '../../examples/reproduce/statistics.js'
import { SHARED } from '../support/shared.js'

const DATA = join(SHARED, 'paper')
const EVALUATION = join(SHARED, 'conformance', 'evaluation')
const present = existsSync(DATA) && existsSync(EVALUATION)
if (!present)
  console.warn(
    `${DATA} or ${EVALUATION} is absent: the paper's experiments are not reproduced (set DEEPLIFT_SHARED)`,
  )

const SECONDS = 1000
const silent = () => {}

async function readTable<T>(experiment: string): Promise<T> {
  return JSON.parse(await readFile(join(EVALUATION, experiment, 'table.json'), 'utf8')) as T
}

/** Names of our methods in the tables. */
const MNIST_NAMES: Readonly<Record<string, string>> = {
  'guided-backprop-masked': 'guided_backprop_masked',
  'gradient-times-input': 'grad_times_inp',
  'integrated-gradients-5': 'integrated_grads_5',
  rescale: 'rescale',
  'genomics-default': 'rescale_conv_revealcancel_fc',
  'reveal-cancel': 'revealcancel',
}
const GENOMICS_NAMES: Readonly<Record<string, string>> = {
  'guided-backprop': 'guided_backprop|background',
  'gradient-times-input': 'grad_times_inp|background',
  'integrated-gradients-10': 'integrated_gradients10|background',
  rescale: 'rescale_all_layers|background',
  'genomics-default': 'rescale_conv_revealcancel_fc|background',
  'reveal-cancel': 'revealcancel_all_layers|background',
}

interface EraseTable {
  pairs: Record<
    string,
    Record<string, { full: Record<'mean' | 'median' | 'q1' | 'q3' | 'meanErased', number>; top10: number[] }>
  >
}

describe.skipIf(!present)('the experiments of the paper', () => {
  test('erasing pixels of digits', { timeout: 600 * SECONDS }, async () => {
    const mnist = await eraseExperiment(DATA, silent)
    const ledger = new Ledger()
    compareMnist(ledger, mnist)
    expect(ledger.failures).toEqual([])

    const { pairs } = await readTable<EraseTable>('mnist')
    for (const { pair, method, images, changes, erased } of mnist.erasures) {
      const { full, top10 } = pairs[pair.join('->')]![MNIST_NAMES[method.id]!]!
      // The tables are of float32 runs: five digits of logits of up to 1e4. Of integrated gradients, a rectifier that is
      // zero but for rounding at one of the steps moves a pixel or two of a thousand digits.
      const [digits, pixels] = method.id.startsWith('integrated-gradients') ? [2, 2] : [5, 9]
      expect(mean(changes) / full.mean).toBeCloseTo(1, digits === 5 ? 6 : 4)
      expect(quantile(changes, 0.25) / full.q1).toBeCloseTo(1, digits)
      expect(quantile(changes, 0.5) / full.median).toBeCloseTo(1, digits)
      expect(quantile(changes, 0.75) / full.q3).toBeCloseTo(1, digits)
      expect(erased / changes.length).toBeCloseTo(full.meanErased, pixels)
      const byChange = [...changes.keys()].sort((a, b) => changes[b]! - changes[a]!)
      expect(byChange.slice(0, top10.length).map((image) => images[image])).toEqual(top10)
    }
  })

  test('finding motifs', { timeout: 600 * SECONDS }, async () => {
    const genomics = await motifExperiment(DATA, EVALUATION, silent)
    const ledger = new Ledger()
    compareGenomics(ledger, genomics)
    claimGenomics(ledger, genomics)
    expect(ledger.failures).toEqual([])

    const { modes } = await readTable<{
      modes: Record<string, Record<string, { full: Record<string, number> }>>
    }>('genomics')
    for (const scores of genomics.scores) {
      const mode = GENOMICS_NAMES[scores.method.id]
      if (mode === undefined) continue
      for (let task = 0; task < TASKS; task++) {
        const expected = modes[mode]![task]!.full
        const actual = localisation(genomics, scores, task)
        // The tolerance that the tables ask for is 1e-4 for shares and 1e-3 for scores.
        for (const [name, value] of Object.entries(actual))
          expect(value, `${mode}, task ${task}: ${name}`).toBeCloseTo(expected[name]!, 4)
      }
    }
  })
})

const EMBEDDED: readonly (readonly MotifName[])[] = [
  ['GATA_disc1', 'TAL1_known1'],
  ['GATA_disc1'],
  ['TAL1_known1'],
]

/** How well scores of a task find the embedded motifs, by the definitions of the table. */
function localisation(result: Genomics, scores: MethodScores, task: number): Record<string, number> {
  const own = (sequence: number) =>
    scores.positions.subarray((sequence * TASKS + task) * LENGTH, (sequence * TASKS + task + 1) * LENGTH)
  const values: number[] = []
  const inside: boolean[] = []
  for (const [sequence, { region, embedded }] of result.sequences.entries()) {
    if (region[task] !== '1') continue
    const relevant = embedded.filter(({ motif }) => EMBEDDED[task]!.includes(motif))
    for (const [position, value] of own(sequence).entries()) {
      values.push(value)
      inside.push(relevant.some(({ start, end }) => position >= start && position < end))
    }
  }
  const instanceMean = (motif: MotifName, region: Region) =>
    mean(
      result.sequences.flatMap((sequence, index) =>
        sequence.region === region
          ? sequence.embedded
              .filter((each) => each.motif === motif)
              .map(({ start, end }) => sum(own(index).subarray(start, end)))
          : [],
      ),
    )
  const missed = (motif: MotifName) => {
    const { matches, withoutScore } = summarise(result, scores).find((each) => each.motif === motif)!
    return withoutScore[task]! / matches
  }
  return {
    auroc_abs: auroc(values.map(Math.abs), inside),
    auroc_signed: auroc(values, inside),
    mean_gata_instance_both: instanceMean('GATA_disc1', '111'),
    mean_tal1_instance_both: instanceMean('TAL1_known1', '111'),
    mean_gata_instance_single: instanceMean('GATA_disc1', '010'),
    mean_tal1_instance_single: instanceMean('TAL1_known1', '001'),
    paper_frac_strong_hits_le0_gata: missed('GATA_disc1'),
    paper_frac_strong_hits_le0_tal1: missed('TAL1_known1'),
  }
}
