// Times every step of every network beside what the processor and its memory can do: docs/performance/roofline.md.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { fail, wholeNumber } from '../arguments.mjs'
import { machine } from '../machine.mjs'
import { NETWORKS } from '../networks.mjs'
import { FOREIGN_LIMIT } from '../quiet.mjs'
import { analyse } from './analyse.mjs'
import { figure } from './figure.mjs'
import { buildLimits, measureLimits } from './limits.mjs'
import { measureSteps } from './measure.mjs'
import { page } from './page.mjs'

const DOCS = fileURLToPath(new URL('../../docs/performance', import.meta.url))
const RECORDS = fileURLToPath(new URL('../record', import.meta.url))
const NAMES = NETWORKS.map(({ name }) => name)
const HELP = `npm run bench:roofline -- [options] [network]...

network      of ${NAMES.join(', ')}; with all of them, the default, the page and the record are written
--rounds N   default: 5
--busy       write them even if other programs use the processor meanwhile, which the page then says
--json       print the record in place of the page`

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

const rounds = wholeNumber(options.rounds ?? '5')
const chosen = NETWORKS.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
const limits = buildLimits()
const networks = []
for (const network of chosen) {
  networks.push({ limits: measureLimits(limits), ...(await measureSteps(network, { rounds })) })
  console.error(`${network.name}: ${networks.at(-1).msPerPair.toFixed(3)} ms per pair`)
}
const record = { date: new Date().toISOString(), ...machine(), rounds, networks }
process.stdout.write(options.json ? `${JSON.stringify(record, null, 2)}\n` : page(record))
const foreign = Math.max(...networks.map(({ foreignCores }) => foreignCores))
if (foreign > FOREIGN_LIMIT && !options.busy)
  console.error(`Nothing is written: meanwhile other programs used up to ${foreign.toFixed(2)} cores`)
else if (chosen.length === NETWORKS.length) await write(record)

async function write(record) {
  for (const folder of [DOCS, RECORDS]) mkdirSync(folder, { recursive: true })
  const analysed = record.networks.map(({ limits, ...measured }) => analyse(measured, limits))
  writeFileSync(join(DOCS, 'roofline.svg'), await figure(analysed))
  writeFileSync(join(DOCS, 'roofline.md'), page(record))
  writeFileSync(join(RECORDS, `roofline-${record.date.slice(0, 10)}.json`), `${JSON.stringify(record)}\n`)
}
