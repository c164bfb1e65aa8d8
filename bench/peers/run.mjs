// Times contribution scores beside the peers that compute the same: see README.md.
import { parseArgs } from 'node:util'
import { fail, wholeNumber } from '../arguments.mjs'
import { machine } from '../machine.mjs'
import { NETWORKS } from '../networks.mjs'
import { alignedTable } from '../table.mjs'
import { compare } from './compare.mjs'
import { python, versions } from './environment.mjs'
import { writePage } from './page.mjs'
import { named, resumed, save } from './record.mjs'
import { checkRows, isComplete, ratioRows, timeRows } from './report.mjs'
import { ISAS, PEERS } from './sides.mjs'

const METHODS = PEERS.map(({ method }) => method)
const HELP = `npm run bench:peers -- [options] [name of a network]...

--threads 1,2    default: 1 and 2; with --quick 1. Peers that take one example at a time run on one thread only
--rounds N       default: 5; with --quick 3
--peers a,b      of ${METHODS.join(', ')}; default: all; with --quick tangermeme and captum
--isa ${ISAS.join('|')}       keep everyone to this instruction set
--quick          fewer rounds, peers and threads, and no peers as installed
--resume         add to the newest record in which all but networks and threads is the same
--json           print the record instead of the table
--list           print the names of the networks

A run of all networks also writes docs/performance/README.md.`

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string' },
    rounds: { type: 'string' },
    peers: { type: 'string' },
    isa: { type: 'string' },
    quick: { type: 'boolean' },
    resume: { type: 'boolean' },
    json: { type: 'boolean' },
    list: { type: 'boolean' },
    help: { type: 'boolean' },
  },
})
const { quick = false, isa } = options
if (options.help) exitWith(HELP)
if (options.list) exitWith(NETWORKS.map(({ name }) => name).join('\n'))
if (isa !== undefined) oneOf(ISAS, isa)
const threadCounts = (options.threads ?? (quick ? '1' : '1,2')).split(',').map(wholeNumber)
const methods = (options.peers ?? (quick ? 'tangermeme,captum' : METHODS.join())).split(',')
for (const method of methods) oneOf(METHODS, method)
const names = NETWORKS.map(({ name }) => name)
for (const name of positionals) oneOf(names, name)

const interpreter = python()
const settings = {
  interpreter,
  isa,
  methods,
  rounds: wholeNumber(options.rounds ?? (quick ? '3' : '5')),
  seconds: quick ? 0.3 : 0.6,
  withDefault: !quick,
}
const { interpreter: _, ...conditions } = settings
const fresh = {
  date: new Date().toISOString(),
  ...machine(),
  peers: versions(interpreter),
  ...conditions,
  measured: [],
}
const target = options.resume ? resumed(fresh) : named(fresh)
const { record } = target
for (const network of NETWORKS.filter(({ name }) => positionals.length === 0 || positionals.includes(name)))
  for (const threads of threadCounts) {
    if (record.measured.some((each) => each.network === network.name && each.threads === threads)) continue
    const log = (text) => console.error(`${network.name}, threads: ${threads}: ${text}`)
    record.measured.push(await compare(network, { ...settings, threads, log }))
    record.measured.sort(
      (a, b) => names.indexOf(a.network) - names.indexOf(b.network) || a.threads - b.threads,
    )
    // After each network, so that an interrupted run leaves what it has.
    save(target)
  }
const tables = [timeRows, ratioRows, checkRows].map((rows) => alignedTable(rows(record)))
console.log(options.json ? JSON.stringify(record, null, 2) : tables.join('\n\n'))
if (isComplete(record)) writePage()
console.error(`\nRecord: ${target.name}`)

function oneOf(allowed, value) {
  if (!allowed.includes(value)) fail(`expected ${allowed.join(', ')}; found ${JSON.stringify(value)}`)
}

function exitWith(text) {
  console.log(text)
  process.exit(0)
}
