// Times contribution scores beside ONNX Runtime's forward pass of the same model: see README.md.
import { mkdirSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import benny from 'benny'
import { fail, wholeNumber } from './arguments.mjs'
import { machine } from './machine.mjs'
import { ensureModels } from './make-models.mjs'
import { KERNELS, NETWORKS } from './networks.mjs'
import { summarise, table } from './report.mjs'

const RESULTS = fileURLToPath(new URL('results', import.meta.url))
const HELP = `npm run bench -- [options] [name]...

name             of networks or single layers, or "networks" or "kernels" for all of either; default: all
--threads 1,2    default: 1 and 2; with --quick 1
--rounds N       default: 7; with --quick 3
--quick          fewer rounds, one thread
--precision P    bf16x6 or bf16x3 in place of float32
--json           print the record instead of the table
--list           print the names`

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string' },
    rounds: { type: 'string' },
    quick: { type: 'boolean' },
    precision: { type: 'string' },
    json: { type: 'boolean' },
    list: { type: 'boolean' },
    help: { type: 'boolean' },
  },
})
const ALL = [...NETWORKS, ...KERNELS]
if (options.help) exitWith(HELP)
if (options.list) exitWith(ALL.map(({ name }) => name).join('\n'))
const threadCounts = (options.threads ?? (options.quick ? '1' : '1,2')).split(',').map(wholeNumber)
const precision = options.precision ?? 'float32'
const rounds = wholeNumber(options.rounds ?? (options.quick ? '3' : '7'))
const networks = positionals.length === 0 ? ALL : [...new Set(positionals.flatMap(named))]

// benny announces suites on standard output, which is for the result alone.
console.log = console.error
const { prepare } = await loadWorkload()
const started = new Date()
const measured = []
for (const network of networks) {
  ensureModels([network])
  for (const threads of threadCounts) measured.push(await measure(network, threads))
}
const record = { date: started.toISOString(), ...machine(), precision, rounds, measured }
mkdirSync(RESULTS, { recursive: true })
const file = join(RESULTS, `${record.date.replace(/[:.]/g, '-')}.json`)
const json = JSON.stringify(record, null, 2)
writeFileSync(file, `${json}\n`)
process.stdout.write(options.json ? `${json}\n` : `\n${table(record)}\n`)
console.error(`\nRecord: ${file}`)

/** Rounds of one suite: what is compared is timed within seconds of each other, again and again. */
async function measure(network, threads) {
  const workload = await prepare(network, { threads, precision })
  const { pairs, batch } = workload
  const titles = {
    given: `deeplift, ${pairs} pairs, references given`,
    shuffled: `deeplift, ${pairs} pairs, references shuffled on the fly`,
    forward: `ONNX Runtime, ${pairs} forward passes, ${batch} at a time`,
  }
  const names = Object.keys(workload.cases)
  const samples = Object.fromEntries(names.map((name) => [name, []]))
  const load = loadavg()[0]
  const [cpu, start] = [process.cpuUsage(), performance.now()]
  for (let round = 1; round <= rounds; round++) {
    const { results } = await benny.suite(
      `${network.name}, threads: ${threads}, round ${round} of ${rounds}`,
      ...names.map((name) => benny.add(titles[name], async () => void (await workload.cases[name]()))),
      benny.configure({
        cases: { minSamples: network.samples, maxTime: 0.1 },
        minDisplayPrecision: 2,
      }),
      benny.complete(showRound),
    )
    results.forEach(({ details }, i) => void samples[names[i]].push((details.median * 1e3) / pairs))
  }
  const { user, system } = process.cpuUsage(cpu)
  const share = (user + system) / 1e3 / (performance.now() - start) / threads
  return summarise(workload, samples, { load, share })
}

function showRound({ results }) {
  for (const { name, ops, margin } of results) console.error(`  ${name}: ${ops} calls/s, ±${margin} %`)
}

function named(name) {
  if (name === 'networks') return NETWORKS
  if (name === 'kernels') return KERNELS
  const network = ALL.find((each) => each.name === name)
  return network ?? fail(`expected ${ALL.map(({ name }) => name).join(', ')}; found ${JSON.stringify(name)}`)
}

/** The package under test, which must be built. */
async function loadWorkload() {
  try {
    return await import('./workload.mjs')
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    return fail(`${error.message}\nBuild the package first: npm run build`)
  }
}

function exitWith(text) {
  console.log(text)
  process.exit(0)
}
