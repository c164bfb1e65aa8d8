/** The tables of a reproduction: rounded for the page, in full for CSV and JSON. */

import { type Genomics, summarise } from '../genomics/experiment.js'
import { METHODS as GENOMICS_METHODS } from '../genomics/methods.js'
import { TASKS } from '../genomics/sequences.js'
import { type Mnist, PAIRS, pairName } from '../mnist/experiment.js'
import { METHODS as MNIST_METHODS } from '../mnist/methods.js'
import { mean, quantile } from '../statistics.js'
import type { Table } from './table.js'

/** Mean change in log-odds, and the share of images that flip. */
export function eraseTable({ erasures }: Mnist): Table {
  return {
    columns: ['method', ...PAIRS.map(pairName)],
    rows: MNIST_METHODS.map((method) => [
      method.label,
      ...PAIRS.map((pair) => {
        const { changes, flips } = erasures.find((each) => each.method === method && each.pair === pair)!
        return `${mean(changes).toFixed(1)} (${((100 * flips) / changes.length).toFixed(1)} %)`
      }),
    ]),
  }
}

/** One row per pair and method. */
export function eraseData({ erasures }: Mnist): Table {
  return {
    columns: [
      'original',
      'target',
      'method',
      'images',
      'mean',
      'lower quartile',
      'median',
      'upper quartile',
      'flips',
      'erased pixels per image',
    ],
    rows: erasures.map(({ pair: [original, target], method, changes, flips, erased }) => [
      original,
      target,
      method.id,
      changes.length,
      mean(changes),
      quantile(changes, 0.25),
      quantile(changes, 0.5),
      quantile(changes, 0.75),
      flips,
      erased / changes.length,
    ]),
  }
}

/** Strong matches that are missed on task 0. */
export function falseNegativeTable(result: Genomics): Table {
  return {
    columns: ['motif', ...GENOMICS_METHODS.map(({ label }) => label)],
    rows: result.motifs.map(({ name }) => {
      const of = result.scores.map((scores) => summarise(result, scores).find(({ motif }) => motif === name)!)
      return [`${name} (of ${of[0]!.matches})`, ...of.map(({ withoutScore }) => withoutScore[0]!)]
    }),
  }
}

/** Median scores of strong matches by motif and task. */
export function medianTable(result: Genomics): Table {
  const tasks = Array.from({ length: TASKS }, (_, task) => task)
  return {
    columns: [
      'method',
      ...result.motifs.flatMap(({ label }) => tasks.map((task) => `${label} on task ${task}`)),
    ],
    rows: result.scores.map((scores) => [
      scores.method.label,
      ...summarise(result, scores).flatMap(({ medians }) => medians.map((value) => value.toFixed(2))),
    ]),
  }
}

/** One row per method and motif. */
export function matchData(result: Genomics): Table {
  return {
    columns: [
      'method',
      'largest residual',
      'motif',
      'strong matches',
      'without score on task 0',
      'without score on task 1',
      'without score on task 2',
      'median on task 0',
      'median on task 1',
      'median on task 2',
    ],
    rows: result.scores.flatMap((scores) =>
      summarise(result, scores).map(({ motif, matches, withoutScore, medians }) => [
        scores.method.id,
        scores.residual,
        motif,
        matches,
        ...withoutScore,
        ...medians,
      ]),
    ),
  }
}
