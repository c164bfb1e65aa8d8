// Cold processes: how long until the first score is there.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { quietly } from '../quiet.mjs'
import { median, spread } from '../statistics.mjs'
import { MODEL, OUTPUT, RULE, SEQUENCES, SHUFFLES } from './demo.mjs'

const file = (name) => fileURLToPath(new URL(name, import.meta.url))
const CLI = file('../../dist/cli/main.js')
/** Largest difference between sums of contributions and differences of outputs that is taken for rounding. */
const TOLERANCE = 1e-4

/**
 * `{ node, api, cli, marks, foreignCores }`: milliseconds of whole processes `{ median, min, max }`, of Node that does nothing, of a
 * program that scores one sequence, and of the command line that does so and writes the file; and the medians of when the
 * program had done each step.
 */
export async function measureStart({ runs }) {
  const folder = mkdtempSync(join(tmpdir(), 'deeplift-start-'))
  try {
    const fasta = join(folder, 'one.fa')
    const [, first] = readFileSync(SEQUENCES, 'utf8').split('>', 2)
    writeFileSync(fasta, `>${first}`)
    const out = join(folder, 'scores.npz')
    const score = ['score', MODEL, '--fasta', fasta, '--target', `${OUTPUT}:0`, '--rule', RULE]
    const cli = [CLI, ...score, '--reference', `dinuc-shuffle:${SHUFFLES}`, '--out', out, '--quiet', '--json']
    const samples = { node: [], api: [], cli: [] }
    const marks = []
    let foreignCores = 0
    // In turn, so that all meet the same machine; the first round brings files into memory and is not counted.
    for (let run = 0; run <= runs; run++) {
      const { round, foreign } = await quietly([], () => ({
        round: { node: time(['-e', '0']), api: time([file('first-score.mjs')]), cli: time(cli) },
      }))
      const answers = [JSON.parse(round.api.stdout), JSON.parse(round.cli.stdout)]
      answers.forEach(checkAnswer)
      if (run === 0) continue
      foreignCores = Math.max(foreignCores, foreign)
      for (const [name, { ms }] of Object.entries(round)) samples[name].push(ms)
      marks.push(answers[0].marks)
    }
    const steps = Object.keys(marks[0]).map((name) => [name, median(marks.map((each) => each[name]))])
    const [node, api, commands] = [samples.node, samples.api, samples.cli].map(spread)
    return { node, api, cli: commands, marks: Object.fromEntries(steps), foreignCores }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

export function checkAnswer({ worstCompleteness }) {
  if (!(worstCompleteness <= TOLERANCE))
    throw new Error(
      `contributions miss the difference of the output by ${worstCompleteness}: times mean nothing`,
    )
}

function time(args) {
  const start = performance.now()
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  const ms = performance.now() - start
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}: ${stderr}`)
  return { ms, stdout }
}
