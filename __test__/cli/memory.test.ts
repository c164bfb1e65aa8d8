/** Memory of a job does not grow with its regions. */

import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli } from '../support/cli.js'
import { fastaOf } from '../support/genome.js'
import { DEMO_MODEL, randomCodes } from '../support/models.js'

const SIZE = 200_000
const LENGTH = 200
const [FEW, MANY] = [2000, 20_000]
/** Of one region in single precision. */
const BYTES = 4 * LENGTH * 4

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-memory-'))
  const genome = Array.from(randomCodes(SIZE, 1), (code) => 'ACGT'[code]).join('')
  await writeFile(at('g.fa'), fastaOf({ chr1: genome }, 50))
  for (const count of [FEW, MANY]) {
    const rows = Array.from({ length: count }, (_, row) => {
      const start = (row * 7919) % (SIZE - LENGTH)
      return `chr1\t${start}\t${start + LENGTH}\tpeak${row}\n`
    })
    await writeFile(at(`${count}.bed`), rows.join(''))
  }
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})
const at = (name: string) => join(folder, name)

/** A small young generation, so that what is kept counts and garbage does not. */
const NODE_OPTIONS = `--max-semi-space-size=1 --import ${JSON.stringify(
  `data:text/javascript,${encodeURIComponent(`
    import { readFileSync, writeSync } from 'node:fs'
    process.on('exit', () => writeSync(2, /VmHWM.*kB/.exec(readFileSync('/proc/self/status', 'utf8'))[0]))`)}`,
)}`

/** Bytes that a job of so many regions needs at most. */
async function peak(count: number, extension: string): Promise<number> {
  const regions = ['--bed', at(`${count}.bed`), '--genome', at('g.fa')]
  const scoring = ['--target', 'logits:0', '--reference', 'zeros', '--block', '500', '--threads', '1']
  const out = at(`s.${extension}`)
  const args = ['score', DEMO_MODEL, ...regions, ...scoring, '--out', out, '--quiet']
  const { code, stderr } = await runCli(args, { env: { NODE_OPTIONS } })
  expect(code, stderr).toBe(0)
  if (extension === 'npz') expect((await stat(out)).size).toBeGreaterThan(count * BYTES)
  return Number(/VmHWM:\s*(\d+) kB/.exec(stderr)![1]) * 1024
}

test.skipIf(process.platform !== 'linux').each(['npz', 'bw'])(
  'ten times the regions need as much memory, in %s files',
  async (extension) => {
    const more = (await peak(MANY, extension)) - (await peak(FEW, extension))
    expect(more).toBeLessThan(0.5 * (MANY - FEW) * BYTES)
  },
  120_000,
)
