// Counts the instructions of a fixed amount of scoring under callgrind and compares them with scripts/instructions.json:
// a guard against slower code that does not depend on how busy the machine is. Prints `N passed, N failed`.
//
//   node scripts/instructions.mjs            compares; fails where code takes more than the table and its tolerance
//   node scripts/instructions.mjs --update   writes the table anew, after a change that is meant
//
// Valgrind knows no AVX-512, so the portable and the AVX2 kernels are counted. Counts of one build are the same to 1e-4;
// compilers differ by some percent, which the tolerance allows for. Without valgrind nothing is counted, and it says so.
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const TABLE = fileURLToPath(new URL('instructions.json', import.meta.url))
/**
 * Share by which a count may exceed the table, and by which it falls below before the table should follow. Plans are made
 * once, so more is allowed there.
 */
const TOLERANCE = { plan: 0.5, sequence: 0.15 }
const NETWORKS = ['genomics', 'bpnet']
const SETS = ['scalar', 'avx2']
/** Sequences that are scored after the first, which packs the weights. */
const SEQUENCES = 4
/** What is watched: planning with packing, and one sequence with its references. */
const KINDS = Object.keys(TOLERANCE)

const update = process.argv.includes('--update')
const skipped = reasonToSkip()
if (skipped) {
  console.log(`instructions are not counted: ${skipped}`)
  console.log('0 passed, 0 failed')
} else {
  await run()
}

function reasonToSkip() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'the table is for Linux on x86-64'
  const { status } = spawnSync('valgrind', ['--version'])
  return status === 0 ? undefined : 'there is no valgrind (Debian, Ubuntu: apt-get install valgrind)'
}

async function run() {
  const binary = build()
  const found = await countAll(binary)
  if (update) {
    writeFileSync(TABLE, `${JSON.stringify(found, null, 2)}\n`)
    console.log(`wrote ${TABLE}`)
    return
  }
  const expected = JSON.parse(readFileSync(TABLE, 'utf8'))
  const cases = SETS.flatMap((set) =>
    NETWORKS.flatMap((network) => KINDS.map((kind) => [set, network, kind])),
  )
  const results = cases.map((path) => compare(path, at(expected, path), at(found, path)))
  const failed = results.filter((passed) => !passed).length
  if (failed > 0)
    console.log(
      'if more work is meant, run `node scripts/instructions.mjs --update` and say why in the commit',
    )
  process.exitCode = failed > 0 ? 1 : 0
  console.log(`${results.length - failed} passed, ${failed} failed`)
}

/** The binary, built as the addon is: how kernels are inlined across crates decides their instructions. */
function build() {
  const { status, stdout } = spawnSync(
    'cargo',
    ['build', '--release', '-p', 'deeplift-engine', '--example', 'instructions', '--message-format', 'json'],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 2 ** 28 },
  )
  if (status !== 0) process.exit(status ?? 1)
  const messages = stdout.split('\n').filter((line) => line.startsWith('{'))
  const artifact = messages
    .map((line) => JSON.parse(line))
    .find(({ target, executable }) => executable && target)
  return artifact.executable
}

/** `{ scalar: { genomics: { plan, sequence } } }`: instructions. */
async function countAll(binary) {
  const jobs = SETS.flatMap((set) =>
    NETWORKS.flatMap((network) => [1, 1 + SEQUENCES].map((n) => ({ set, network, n }))),
  )
  const counts = new Map()
  const workers = Array.from({ length: availableParallelism() }, async () => {
    for (let job = jobs.shift(); job; job = jobs.shift())
      counts.set(`${job.set} ${job.network} ${job.n}`, await count(binary, job))
  })
  await Promise.all(workers)
  const entry = (set, network) => {
    const [first, all] = [1, 1 + SEQUENCES].map((n) => counts.get(`${set} ${network} ${n}`))
    const sequence = Math.round((all - first) / SEQUENCES)
    return { plan: first - sequence, sequence }
  }
  const networks = (set) => Object.fromEntries(NETWORKS.map((network) => [network, entry(set, network)]))
  return Object.fromEntries(SETS.map((set) => [set, networks(set)]))
}

async function count(binary, { set, network, n }) {
  const folder = mkdtempSync(join(tmpdir(), 'deeplift-instructions-'))
  try {
    const output = `--callgrind-out-file=${join(folder, 'out')}`
    const env = { ...process.env, DEEPLIFT_ISA: set }
    const { stderr } = await promisify(execFile)(
      'valgrind',
      ['--tool=callgrind', output, binary, network, `${n}`],
      {
        env,
      },
    )
    return Number(/Collected : (\d+)/.exec(stderr)[1])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function at(table, path) {
  return path.reduce((value, key) => value?.[key], table)
}

function compare(path, expected, found) {
  const tolerance = TOLERANCE[path.at(-1)]
  const ratio = found / expected
  const passed = ratio <= 1 + tolerance
  const change = `${ratio >= 1 ? '+' : ''}${(100 * (ratio - 1)).toFixed(1)} %`
  const verdict = passed ? (ratio < 1 - tolerance ? 'ok, far below: update the table' : 'ok') : 'FAILED'
  console.log(
    `${path.join(' ').padEnd(24)} ${(found / 1e6).toFixed(2).padStart(8)} M instructions, ` +
      `expected ${(expected / 1e6).toFixed(2).padStart(8)} M (${change})  ${verdict}`,
  )
  return passed
}
