// Writes docs/performance/README.md from the newest complete records of bench:peers, one per instruction set.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { markdownTable } from '../table.mjs'
import { records } from './record.mjs'
import { checkRows, isComplete, ratioRows, threadRows, timeRows } from './report.mjs'

const DOCS = fileURLToPath(new URL('../../docs/performance', import.meta.url))
const OTHER_PAGES = {
  'scaling.md': 'how cost grows with references, length, batch, channels, width and threads',
  'roofline.md': 'what share of the processor each layer reaches, and what is left',
  'start.md': 'how soon after the start of a process the first score is there',
  'io.md': 'how fast files are read and written, beside pyfaidx, numpy, h5py and pyBigWig',
}

export function writePage() {
  const complete = newestRecords()
  if (complete.length === 0) throw new Error('no complete record: run npm run bench:peers')
  mkdirSync(DOCS, { recursive: true })
  writeFileSync(join(DOCS, 'README.md'), page(complete))
}

/** The best instruction set of the machine before those that were asked for. */
function newestRecords() {
  const newest = new Map()
  for (const { name, record } of records())
    if (isComplete(record)) newest.set(record.isa ?? '', { ...record, file: name })
  return [...newest].sort(([a], [b]) => a.localeCompare(b)).map(([, record]) => record)
}

export function page(complete) {
  const links = Object.entries(OTHER_PAGES)
    .filter(([name]) => existsSync(join(DOCS, name)))
    .map(([name, what]) => `- [${name.replace('.md', '')}](${name}): ${what}`)
  return `${[
    '# How fast, and beside whom',
    'A pair is one example compared with one reference. Peers are the other libraries that compute the same scores: ' +
      "tangermeme's `deep_lift_shap`, Captum's `DeepLift` and `DeepLiftShap`, SHAP's `DeepExplainer`, all on PyTorch. " +
      'All sides get the same sequences, references and weights, and must arrive at the same scores before they are ' +
      'timed. What that means in detail, and what to keep in mind when reading the numbers, is in ' +
      '[the benchmark](../../bench/README.md#beside-peers).',
    'Weights are random, as published networks have no agreed ones: about half of all rectifiers are on. In trained ' +
      'networks fewer are, and code that skips zeros gains more there than here.',
    links.join('\n'),
    ...complete.map(section),
    'This page is written by `npm run bench:peers`.',
  ]
    .filter((part) => part !== '')
    .join('\n\n')}\n`
}

function section(record) {
  const { cpu, flags, node, commit, peers, date, rounds, isa, measured, file } = record
  const versions = Object.entries(peers).map(([name, version]) => `${name} ${version}`)
  const threads = threadRows(record)
  return [
    isa ? `## Kept to ${isa.toUpperCase()}` : `## With ${measured[0].isa}`,
    `${cpu} (${flags.join(', ')}), ${date.slice(0, 10)}, commit ${commit}, Node ${node}, ${versions.join(', ')}. Medians ` +
      `of ${rounds} rounds ([record](../../bench/record/${file})).`,
    'How many times as fast as the best peer, each with the batch size and the memory settings that suit it best; the ' +
      'smallest and the largest of the rounds; the goal for such a processor; and how many times as fast as tangermeme ' +
      'as it is installed:',
    markdownTable(ratioRows(record)),
    'Milliseconds per pair of each, with the pairs that it takes at a time:',
    markdownTable(timeRows(record)),
    'Peak memory of whole processes, Node or Python included. GFLOP/s are those of the passes that the method needs, ' +
      'counted densely, whether or not they were all computed. Differences are to the scores of the peer that is ' +
      'furthest away, relative to the largest score. What separates either side from our scores in float64 is its rounding, ' +
      'which also decides between values of a pool that are all but equal:',
    markdownTable(checkRows(record)),
    ...(threads.length > 0
      ? ['Pairs per second as multiples of those on one thread:', markdownTable(threads)]
      : []),
  ].join('\n\n')
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) writePage()
