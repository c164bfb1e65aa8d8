/** Writes everything that a reproduction found into one folder. */

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { analyticFigure } from '../figures/analytic.js'
import { digitFigure, eraseFigure } from '../figures/erase.js'
import { LOGOS, logoFigure } from '../figures/logos.js'
import { falseNegativeFigure, matchFigure } from '../figures/matches.js'
import { svgOf, writeFigure } from '../figures/render.js'
import type { Reproduction } from '../reproduce.js'
import { type Figure, page } from './page.js'
import { csv } from './table.js'
import { eraseData, matchData } from './tables.js'

interface Drawn extends Figure {
  svg: string
}

async function draw({ mnist, genomics, analytic }: Reproduction): Promise<Drawn[]> {
  return [
    {
      name: 'figures-1-to-3',
      caption: 'Contributions on three small networks, by method',
      svg: await svgOf(analyticFigure(analytic)),
    },
    {
      name: 'figure-4-erase',
      caption: 'Change in log-odds over all test images of the original digit',
      svg: await svgOf(eraseFigure(mnist)),
    },
    {
      name: 'figure-4-digit',
      caption:
        'Scores of one image, orange for the original digit and blue against it, and what is left of it',
      svg: await svgOf(digitFigure(mnist)),
    },
    ...(await Promise.all(
      genomics.motifs.map(async (motif) => ({
        name: `figure-5a-${motif.label.toLowerCase()}`,
        caption: `Scores of ${motif.label} matches by how good a match they are`,
        svg: await svgOf(matchFigure(genomics, motif)),
      })),
    )),
    {
      name: 'figure-5b',
      caption: 'Strong matches that are missed on task 0',
      svg: await svgOf(falseNegativeFigure(genomics)),
    },
    ...LOGOS.map((logo) => ({
      name: `figure-6-sequence-${logo.sequence}`,
      caption: `Scores of test sequence ${logo.sequence} for task ${logo.task}, embedded motifs marked`,
      svg: logoFigure(genomics, logo),
    })),
  ]
}

export async function writeReport(folder: string, result: Reproduction): Promise<void> {
  await mkdir(folder, { recursive: true })
  const { mnist, genomics, analytic, ledger } = result
  const { comparisons, claims, failures } = ledger
  const figures = await draw(result)
  for (const { name, svg } of figures) await writeFigure(folder, name, svg)
  const files = {
    'README.md': page(result, figures),
    'erase.csv': csv(eraseData(mnist)),
    'matches.csv': csv(matchData(genomics)),
    'reproduction.json': `${JSON.stringify({ failures, comparisons, claims, analytic: analytic.map(({ name, points, output, curves }) => ({ name, points, output, curves })) }, null, 1)}\n`,
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
}
