// How soon after the start of a process the first score is there: docs/performance/start.md.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { wholeNumber } from '../arguments.mjs'
import { machine } from '../machine.mjs'
import { measureStart } from './measure.mjs'
import { page } from './page.mjs'

const DOCS = fileURLToPath(new URL('../../docs/performance', import.meta.url))
const HELP = `npm run bench:start -- [options]

--runs N   cold processes of each kind; default: 15
--json     print the record; without it, the page is written`

const { values: options } = parseArgs({
  options: { runs: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean' } },
})
if (options.help) {
  console.log(HELP)
  process.exit(0)
}
const runs = wholeNumber(options.runs ?? '15')
const record = { date: new Date().toISOString(), ...machine(), runs, start: await measureStart({ runs }) }
if (options.json) {
  console.log(JSON.stringify(record, null, 2))
} else {
  mkdirSync(DOCS, { recursive: true })
  const text = page(record)
  writeFileSync(join(DOCS, 'start.md'), text)
  console.log(text)
}
