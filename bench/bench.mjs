// Times contribution scores beside ONNX Runtime's forward pass of the same model: see README.md.
//
//   node bench.mjs [--quick] [--threads 1,2] [--rounds 7] [name of a network]...
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import benny from 'benny'
import { machine } from './machine.mjs'
import { writeModels } from './make-models.mjs'
import { printTable, summarise } from './report.mjs'

const MODELS = fileURLToPath(new URL('models', import.meta.url))
const RESULTS = fileURLToPath(new URL('results', import.meta.url))
const CASES = ['shuffled', 'given', 'forward']

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean' }, threads: { type: 'string' }, rounds: { type: 'string' } },
})
const threadCounts = (options.threads ?? (options.quick ? '1' : '1,2')).split(',').map(wholeNumber)
const rounds = wholeNumber(options.rounds ?? (options.quick ? '3' : '7'))

const { NETWORKS, prepare, REFERENCES } = await loadWorkloads()
const names = NETWORKS.map(({ name }) => name)
for (const name of positionals)
  if (!names.includes(name)) fail(`expected ${names.join(', ')}; found ${JSON.stringify(name)}`)
if (!names.every((name) => existsSync(join(MODELS, `${name}.onnx`)))) writeModels(MODELS)

const started = new Date()
const measured = []
for (const network of NETWORKS.filter(({ name }) => positionals.length === 0 || positionals.includes(name)))
  for (const threads of threadCounts) measured.push(await measure(network, threads))
const record = { date: started.toISOString(), ...machine(), references: REFERENCES, rounds, measured }
printTable(record)
mkdirSync(RESULTS, { recursive: true })
const file = join(RESULTS, `${record.date.replace(/[:.]/g, '-')}.json`)
writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`)
console.log(`\nRecord: ${file}`)

/** Rounds of one suite: what is compared is timed within seconds of each other, again and again. */
async function measure(network, threads) {
  const workload = await prepare(network, MODELS, threads)
  const { pairs, batch } = workload
  const titles = {
    shuffled: `deeplift, ${pairs} pairs, references shuffled on the fly`,
    given: `deeplift, ${pairs} pairs, references given`,
    forward: `ONNX Runtime, ${pairs} forward passes, ${batch} at a time`,
  }
  const samples = { shuffled: [], given: [], forward: [] }
  const load = loadavg()[0]
  const [cpu, start] = [process.cpuUsage(), performance.now()]
  for (let round = 1; round <= rounds; round++) {
    const { results } = await benny.suite(
      `${network.name}, threads: ${threads}, round ${round} of ${rounds}`,
      ...CASES.map((name) => benny.add(titles[name], async () => void (await workload[name]()))),
      benny.configure({ cases: { minSamples: 4, maxTime: 0.1 }, minDisplayPrecision: 2 }),
      process.stdout.isTTY ? benny.cycle() : benny.complete(list),
    )
    results.forEach(({ details }, i) => void samples[CASES[i]].push((details.median * 1e3) / pairs))
  }
  const { user, system } = process.cpuUsage(cpu)
  const share = (user + system) / 1e3 / (performance.now() - start) / threads
  return summarise(workload, samples, { load, share })
}

/** What benny.cycle shows by moving the cursor, for a file or a pipe. */
function list({ results }) {
  for (const { name, ops, margin } of results) console.log(`  ${name}: ${ops} ops/s, ±${margin} %`)
}

/** The package under test, which must be built. */
async function loadWorkloads() {
  try {
    return await import('./workload.mjs')
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    return fail(`${error.message}\nBuild the package first: npm run build`)
  }
}

function wholeNumber(text) {
  const value = Number(text)
  return Number.isInteger(value) && value > 0 ? value : fail(`expected a whole number, found ${text}`)
}

function fail(message) {
  console.error(message)
  process.exit(2)
}
