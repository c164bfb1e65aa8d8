import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeNpy } from '../../src/index.js'
import { type Finished, type RunOptions, runCli } from '../support/cli.js'
import { blocksIn, resultsIn, whenDone } from '../support/jobs.js'
import { DEMO_MODEL, randomCodes } from '../support/models.js'

const LENGTH = 200
/** The last block is not full. */
const EXAMPLES = 46
const BLOCK = 4

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-resume-'))
  const codes = randomCodes(EXAMPLES * LENGTH, 3)
  const letters = Array.from(codes, (code) => 'ACGT'[code]).join('')
  const records = Array.from(
    { length: EXAMPLES },
    (_, index) => `>s${index}\n${letters.slice(index * LENGTH, (index + 1) * LENGTH)}\n`,
  )
  await writeFile(at('s.fa'), records.join(''))
  await writeNpy(at('s.npy'), { dtype: 'uint8', shape: [EXAMPLES, LENGTH], data: codes })
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})
const at = (name: string) => join(folder, name)

const SHUFFLES = ['--target', 'logits:0', '--reference', 'dinuc-shuffle:40', '--seed', '5']
/** What is run, the extension of its result, and an option that changes numbers. */
const COMMANDS: Record<string, { args: string[]; extension: string; other: string[] }> = {
  'score of sequences': {
    args: ['score', DEMO_MODEL, '--fasta', 's.fa', ...SHUFFLES],
    extension: '.npz',
    other: ['--seed', '6'],
  },
  'score of arrays': {
    args: ['score', DEMO_MODEL, '--input', 's.npy', ...SHUFFLES, '--format', 'chrombpnet'],
    extension: '.h5',
    other: ['--seed', '6'],
  },
  predict: {
    args: ['predict', DEMO_MODEL, '--fasta', 's.fa'],
    extension: '.tsv',
    other: ['--precision', 'float64'],
  },
  ism: {
    args: ['ism', DEMO_MODEL, '--fasta', 's.fa', '--target', 'logits:0'],
    extension: '.npz',
    other: ['--window', '10:20'],
  },
}

async function run(args: readonly string[], out: string, options: RunOptions = {}): Promise<Finished> {
  const where = ['--out', out, '--block', String(BLOCK), '--threads', '1', '--batch', '3']
  return await runCli([...args, ...where], { cwd: folder, ...options })
}

describe.each(Object.entries(COMMANDS))('%s', (command, { args, extension, other }) => {
  const name = command.replaceAll(' ', '-')
  let expected: Map<string, Buffer>
  beforeAll(async () => {
    const { code, stderr } = await runCli([...args, '--out', `${name}${extension}`], { cwd: folder })
    expect(code, stderr).toBe(0)
    expected = await resultsIn(folder, name)
    expect([...expected.keys()]).toContain('.params.json')
  })

  /** The files have the bytes of a run that was never ended nor cut; only the parameters name files and blocks. */
  async function expectSame(out: string): Promise<void> {
    const found = await resultsIn(folder, out)
    expect([...found.keys()].sort()).toEqual([...expected.keys()].sort())
    for (const [key, bytes] of found)
      if (key !== '.params.json') expect(bytes.equals(expected.get(key)!), `${out}${key}`).toBe(true)
    expect(await readdir(folder)).not.toContain(`${out}.job`)
  }

  test('that is killed goes on to the same bytes, and a damaged block is computed again', async () => {
    const out = `${name}-killed`
    for (const count of [1, 4, 7]) {
      const interrupt = whenDone(folder, out, count)
      await run(args, `${out}${extension}`, { interrupt, signal: 'SIGKILL' })
    }
    const before = (await blocksIn(folder, out)).length
    expect(before).toBeGreaterThanOrEqual(7)
    const damaged = at(`${out}.job/blocks/000002.npz`)
    const bytes = await readFile(damaged)
    bytes[bytes.length >> 1]! ^= 0x55
    await writeFile(damaged, bytes)
    const { code, stdout, stderr } = await run(args, `${out}${extension}`, {})
    expect(code, stderr).toBe(0)
    expect(stderr).toMatch(/000002\.npz.* It is computed again/)
    expect(stderr).toMatch(/Going on with .*-killed\.job: \d+ of 46 examples are done/)
    expect(stdout).toContain(`${(before - 1) * BLOCK} from before`)
    await expectSame(out)
  })

  test('that is ended by SIGTERM exits with 143 in time; other parameters are refused', async () => {
    const out = `${name}-ended`
    let asked = 0
    const interrupt = whenDone(folder, out, 2).then(() => {
      asked = performance.now()
    })
    const { code, stderr } = await run(args, `${out}${extension}`, { interrupt, signal: 'SIGTERM' })
    expect(performance.now() - asked).toBeLessThan(5000)
    expect(code).toBe(143)
    expect(stderr).toMatch(/Interrupted\. \d+ of 46 examples are done and kept in .*-ended\.job: the same/)
    const refused = await run([...args, ...other], `${out}${extension}`)
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(new RegExp(`unfinished job that differs: ${other[0]} was .*--restart`))
    const again = await run(args, `${out}${extension}`)
    expect(again.code, again.stderr).toBe(0)
    await expectSame(out)
  })
})

describe('an input file', () => {
  test('that was changed is refused, by one error', async () => {
    await writeFile(at('own.fa'), await readFile(at('s.fa')))
    const args = ['score', DEMO_MODEL, '--fasta', 'own.fa', ...SHUFFLES]
    await run(args, 'own.npz', { interrupt: whenDone(folder, 'own', 1), signal: 'SIGKILL' })
    const text = await readFile(at('own.fa'), 'utf8')
    await writeFile(at('own.fa'), text.replace('>s45', '>t45'))
    const { code, stderr } = await run(args, 'own.npz')
    expect(code).toBe(2)
    expect(stderr.match(/error:/g)).toHaveLength(1)
    expect(stderr).toMatch(/own\.job holds an unfinished job that differs: another file of sequences/)
  })

  test('with a wrong record at its end is refused before anything is computed', async () => {
    await writeFile(at('bad.fa'), `${await readFile(at('s.fa'), 'utf8')}>last\nACGTX\n`)
    const { code, stderr } = await run(['predict', DEMO_MODEL, '--fasta', 'bad.fa'], 'bad.npz')
    expect(code).toBe(3)
    expect(stderr).toMatch(/bad\.fa: record "last", line 94, column 5/)
    expect((await readdir(folder)).filter((name) => /^bad\.(npz|job)/.test(name))).toEqual([])
  })
})

test('examples of a pipe are computed without a job', async () => {
  const args = ['score', DEMO_MODEL, '--fasta', '-', ...SHUFFLES]
  const stdin = await readFile(at('s.fa'), 'utf8')
  const { code, stderr } = await run(args, 'piped.npz', { stdin })
  expect(code, stderr).toBe(0)
  expect((await readdir(folder)).filter((name) => name.startsWith('piped')).sort()).toEqual([
    'piped.npz',
    'piped.params.json',
  ])
})
