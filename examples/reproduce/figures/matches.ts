/** Paper figure 5: scores of motif matches against how good a match they are, and how many are missed. */

import type { TopLevelSpec } from 'vega-lite'
import { type Genomics, scoreOf, summarise } from '../genomics/experiment.js'
import type { Motif } from '../genomics/motifs.js'
import { STRONG } from '../genomics/motifs.js'
import type { Region } from '../genomics/sequences.js'
import { BLUE, BREAK_LABEL, CONFIG, GREY, ORANGE, SKY_BLUE, VERMILION } from './style.js'

const REGIONS: Readonly<Record<Region, readonly [label: string, colour: string]>> = {
  '111': ['both motifs embedded', VERMILION],
  '010': ['GATA1 only', ORANGE],
  '001': ['TAL1 only', BLUE],
  '000': ['neither', GREY],
}

const TASK_LABELS = ['task 0: both', 'task 1: GATA1', 'task 2: TAL1']

/** Two decimals place a point to a fraction of a pixel, and keep files small. */
const round = (value: number) => Math.round(value * 100) / 100

/** Every match of one motif, by task (rows) and method (columns). */
export function matchFigure(result: Genomics, motif: Motif): TopLevelSpec {
  const matches = result.matches.filter((match) => match.motif === motif.name)
  return {
    title: `Figure 5a: scores of the five best ${motif.label} matches of every test sequence`,
    data: {
      values: result.scores.flatMap((scores) =>
        matches.flatMap((match) =>
          TASK_LABELS.map((task, index) => ({
            method: scores.method.label,
            task,
            region: REGIONS[result.sequences[match.sequence]!.region][0],
            logOdds: round(match.logOdds),
            score: round(scoreOf(scores, match, index)),
          })),
        ),
      ),
    },
    facet: {
      row: { field: 'task', type: 'nominal', title: null, sort: TASK_LABELS },
      column: {
        field: 'method',
        type: 'nominal',
        title: null,
        sort: result.scores.map(({ method }) => method.label),
        header: { labelExpr: BREAK_LABEL },
      },
    },
    spec: {
      width: 150,
      height: 130,
      mark: { type: 'circle', size: 6, opacity: 0.6 },
      encoding: {
        x: { field: 'logOdds', type: 'quantitative', title: 'log-odds of the match' },
        y: { field: 'score', type: 'quantitative', title: 'total score' },
        color: {
          field: 'region',
          type: 'nominal',
          title: 'sequences with',
          scale: {
            domain: Object.values(REGIONS).map(([label]) => label),
            range: Object.values(REGIONS).map(([, colour]) => colour),
          },
          legend: { orient: 'bottom', symbolSize: 80, symbolOpacity: 1 },
        },
      },
    },
    // Scores of gradients are larger than those of DeepLIFT: each panel fills its own axis.
    resolve: { scale: { y: 'independent' } },
    config: CONFIG,
  }
}

/** Share of strong matches in sequences with both motifs that a method gives no positive score for task 0. */
export function falseNegativeFigure(result: Genomics): TopLevelSpec {
  const labels = new Map(result.motifs.map(({ name, label }) => [name, label]))
  const motifs = [...labels.values()]
  return {
    title: {
      text: 'Figure 5b: strong motif matches that are missed on task 0',
      subtitle: `of the matches with log-odds of at least ${STRONG} in sequences with both motifs`,
    },
    width: 360,
    height: { step: 15 },
    data: {
      values: result.scores.flatMap((scores) =>
        summarise(result, scores).map(({ motif, withoutScore: [missed], matches }) => ({
          method: scores.method.label,
          motif: labels.get(motif),
          share: missed! / matches,
          count: `${missed} of ${matches}`,
        })),
      ),
    },
    encoding: {
      x: {
        field: 'share',
        type: 'quantitative',
        title: 'missed',
        axis: { format: '%' },
        scale: { domainMax: 0.14 },
      },
      y: {
        field: 'method',
        type: 'nominal',
        title: null,
        sort: null,
        axis: { labelExpr: BREAK_LABEL },
      },
      yOffset: { field: 'motif', type: 'nominal', sort: motifs },
    },
    layer: [
      {
        mark: { type: 'bar' },
        encoding: {
          color: {
            field: 'motif',
            type: 'nominal',
            title: null,
            sort: motifs,
            scale: { domain: motifs, range: [ORANGE, SKY_BLUE] },
          },
        },
      },
      {
        mark: { type: 'text', align: 'left', dx: 4, fontSize: 10 },
        encoding: { text: { field: 'count', type: 'nominal' } },
      },
    ],
    config: CONFIG,
  }
}
