// Measures how cost grows with references, length, batch, channels, width and threads: docs/performance/scaling.md.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { fail, wholeNumber } from '../arguments.mjs'
import { machine } from '../machine.mjs'
import { isInstalled } from '../peers/environment.mjs'
import { FOREIGN_LIMIT } from '../quiet.mjs'
import { figure } from './figure.mjs'
import { measureSweep } from './measure.mjs'
import { page } from './page.mjs'
import { measurePeer } from './peer.mjs'
import { SWEEPS } from './sweeps.mjs'

const DOCS = fileURLToPath(new URL('../../docs/performance', import.meta.url))
const RECORDS = fileURLToPath(new URL('../record', import.meta.url))
const NAMES = SWEEPS.map(({ name }) => name)
const HELP = `npm run bench:scaling -- [options] [sweep]...

sweep        of ${NAMES.join(', ')}; with all of them, the default, the page and the record are written
             references are timed beside tangermeme too, if npm run bench:peers has installed it
--rounds N   default: 5
--busy       write them even if other programs use the processor meanwhile, which the page then says
--json       print the record`

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    busy: { type: 'boolean' },
    json: { type: 'boolean' },
    help: { type: 'boolean' },
  },
})
if (options.help) {
  console.log(HELP)
  process.exit(0)
}
for (const name of positionals)
  if (!NAMES.includes(name)) fail(`expected ${NAMES.join(', ')}; found ${JSON.stringify(name)}`)

const SECONDS = 0.1

const rounds = wholeNumber(options.rounds ?? '5')
const chosen = SWEEPS.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
const sweeps = []
for (const sweep of chosen) {
  const points = await measureSweep(sweep, { rounds, seconds: SECONDS })
  const law = sweep.law(points.map((point) => ({ x: point.x, y: point[sweep.cost] })))
  console.error(`${sweep.name}: ${law.holds ? '' : 'DOES NOT HOLD: '}${law.text}`)
  const peer = sweep.beside && isInstalled() && (await measurePeer(sweep, { rounds, seconds: SECONDS }))
  sweeps.push({ name: sweep.name, points, law, ...(peer && { peer }) })
}
const record = { date: new Date().toISOString(), ...machine(), rounds, sweeps }
if (options.json) console.log(JSON.stringify(record, null, 2))
const foreign = Math.max(...sweeps.flatMap(({ points }) => points.map(({ foreignCores }) => foreignCores)))
if (foreign > FOREIGN_LIMIT && !options.busy)
  console.error(`Nothing is written: meanwhile other programs used up to ${foreign.toFixed(2)} cores`)
else if (chosen.length === SWEEPS.length) await write(record)
process.exitCode = sweeps.every(({ law }) => law.holds) ? 0 : 1

async function write(record) {
  for (const folder of [DOCS, RECORDS]) mkdirSync(folder, { recursive: true })
  for (const [i, sweep] of SWEEPS.entries()) {
    writeFileSync(join(DOCS, `scaling-${sweep.name}.svg`), await figure(sweep, record.sweeps[i]))
  }
  writeFileSync(join(DOCS, 'scaling.md'), page(record))
  writeFileSync(
    join(RECORDS, `scaling-${record.date.slice(0, 10)}.json`),
    `${JSON.stringify(record, null, 2)}\n`,
  )
}
