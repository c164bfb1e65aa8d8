// Throughput of readers and writers beside Python's: docs/performance/io.md.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { wholeNumber } from '../arguments.mjs'
import { machine } from '../machine.mjs'
import { python } from '../python.mjs'
import { measureIo } from './measure.mjs'
import { page } from './page.mjs'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const DOCS = join(HERE, '../../docs/performance')
const RECORD = join(HERE, '../record')
const NAMED = ['h5py', 'numpy', 'pyBigWig', 'pyfaidx']
const HELP = `npm run bench:io -- [options]

--rounds N  default: 7
--quick     small files
--json      print the record; without it, the record and the page are written`

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string' },
    quick: { type: 'boolean' },
    json: { type: 'boolean' },
    help: { type: 'boolean' },
  },
})
if (options.help) {
  console.log(HELP)
  process.exit(0)
}
const rounds = wholeNumber(options.rounds ?? '7')
const sizes = options.quick
  ? { rows: 60, length: 2114, windows: 200, bases: 600_000 }
  : { rows: 2000, length: 2114, windows: 20_000, bases: 30_000_000 }
const interpreter = python(HERE)
const versions = `import json
from importlib.metadata import version
print(json.dumps({name: version(name) for name in ${JSON.stringify(NAMED)}}))`
const record = {
  date: new Date().toISOString(),
  ...machine(),
  rounds,
  peers: JSON.parse(execFileSync(interpreter, ['-c', versions], { encoding: 'utf8' })),
  sizes,
  io: await measureIo(interpreter, sizes, rounds),
}
if (options.json) {
  console.log(JSON.stringify(record, null, 2))
} else {
  mkdirSync(DOCS, { recursive: true })
  const text = page(record)
  writeFileSync(join(RECORD, `io-${record.date.slice(0, 10)}.json`), `${JSON.stringify(record, null, 2)}\n`)
  writeFileSync(join(DOCS, 'io.md'), text)
  console.log(text)
}
