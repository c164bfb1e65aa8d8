/** A report as one HTML page that needs nothing else: styles, program and data are in it, and no address is. */

import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { BASE_COLOURS, GLYPHS } from '../output/glyphs.js'
import type { ReportSequence } from './sequences.js'

export interface ReportPage {
  title: string
  /** What the summary says, in order. */
  facts: readonly (readonly [name: string, value: string])[]
  sequences: readonly ReportSequence[]
  note: string
}

// Not beside this module: the command line is bundled into one file.
const ASSETS = join(dirname(createRequire(import.meta.url).resolve('#package')), 'dist', 'report')
const asset = async (name: string) => await readFile(join(ASSETS, name), 'utf8')

const COLUMNS = ['Sequence', 'Completeness', 'Sum', 'Highest', 'Lowest', 'Seqlets']

/** @param igv Whether sequences that have a place on a genome are shown there too, which adds 0.6 MB. */
export async function reportPage(
  { title, facts, sequences, note }: ReportPage,
  { igv }: { igv: boolean },
): Promise<string> {
  const genome = igv && sequences.length > 0 && sequences.every(({ chrom }) => chrom !== undefined)
  const data = JSON.stringify({ glyphs: GLYPHS, colours: BASE_COLOURS, sequences })
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>
${await asset('page.css')}</style>
</head>
<body>
<header><h1>${escapeHtml(title)}</h1><button id="theme" type="button">light / dark</button></header>
<main>
<dl class="facts">
${facts.map(([name, value]) => `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`).join('\n')}
</dl>
<section class="view"${sequences.length > 0 ? '' : ' hidden'}>
<div class="bar"><h2></h2><output></output>
<button type="button" data-key="ArrowLeft" aria-label="left">←</button>
<button type="button" data-key="ArrowRight" aria-label="right">→</button>
<button type="button" data-key="+" aria-label="zoom in">+</button>
<button type="button" data-key="-" aria-label="zoom out">−</button>
<button type="button" data-key="0">all</button></div>
<svg role="img" xmlns="http://www.w3.org/2000/svg"></svg>
</section>
${genome ? '<details id="genome"><summary>On the genome</summary><div></div></details>\n' : ''}<section class="list">
<input type="search" placeholder="find a sequence" aria-label="find a sequence">
<div class="scroll"><table>
<thead><tr>${COLUMNS.map((name) => `<th scope="col"><button type="button">${name}</button></th>`).join('')}</tr></thead>
<tbody></tbody>
</table></div>
<p id="nothing" hidden>${sequences.length > 0 ? 'No sequence has this in its name.' : 'There are no sequences.'}</p>
</section>
<footer${sequences.length > 0 ? '' : ' hidden'}>${escapeHtml(note)} Wheel or + and − zoom, dragging or ← and → move, 0 shows all, ↑ and ↓ choose a sequence.</footer>
</main>
<script type="application/json" id="data">${data.replaceAll('<', '\\u003c')}</script>
<script type="module">
${await asset('client.mjs')}</script>
${genome ? await genomeView() : ''}</body>
</html>
`
}

async function genomeView(): Promise<string> {
  const packed = await readFile(join(ASSETS, 'igv.min.js.gz'), 'base64')
  return `<script type="application/gzip;base64" id="igv">${packed}</script>
<!-- ${(await asset('igv.LICENSE')).trim()} -->
<script type="module">
${await asset('genome.mjs')}</script>
`
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return text.replace(/[&<>"]/g, (character) => entities[character]!)
}
