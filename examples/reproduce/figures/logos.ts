/** Paper figure 6: the scores of single sequences as logos, one below the other by method. */

import { contributionLogo } from 'deeplift'
import type { Genomics } from '../genomics/experiment.js'
import { LENGTH, TASKS } from '../genomics/sequences.js'

/** Test sequences by number, and the task that they are explained for. */
export const LOGOS = [
  { sequence: 731, task: 0 },
  { sequence: 197, task: 1 },
] as const

const WIDTH = 1500
const HEIGHT = 150

export function logoFigure(result: Genomics, { sequence, task }: (typeof LOGOS)[number]): string {
  const { codes, embedded } = result.sequences[sequence]!
  const labels = new Map(result.motifs.map(({ name, label }) => [name, label]))
  const logos = result.scores.map(({ method, positions }) => {
    const start = (sequence * TASKS + task) * LENGTH
    return contributionLogo({
      codes,
      scores: positions.subarray(start, start + LENGTH),
      title: `test sequence ${sequence}, task ${task}: ${method.label}`,
      scoreLabel: 'score',
      width: WIDTH,
      height: HEIGHT,
      motifs: embedded.map(({ motif, start, end }) => ({ start, end, label: labels.get(motif)! })),
    })
  })
  const height = HEIGHT * logos.length
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}">`,
    ...logos.map((logo, row) => logo.replace('<svg ', `<svg y="${row * HEIGHT}" `)),
    '</svg>',
    '',
  ].join('\n')
}
