import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeNpy } from '../../src/index.js'
import { type Finished, type RunOptions, runCli } from '../support/cli.js'
import { fastaOf } from '../support/genome.js'
import { blocksIn, resultsIn, whenDone } from '../support/jobs.js'
import { DEMO_MODEL, profileModel, randomCodes } from '../support/models.js'

const LENGTH = 200
/** The last block is not full. */
const EXAMPLES = 46
const BLOCK = 2

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
  await writeFile(at('g.fa'), fastaOf({ chr1: letters }, 60))
  const positions = Array.from({ length: EXAMPLES }, (_, index) => 1000 + index * 83)
  // Some are left out, so that numbers of variants are not those of lines.
  const variants = positions.map((position, index) => {
    const ref = letters[position - 1]!
    const skipped = index % 5 === 0 ? `chr1\t${position}\t.\t${ref}\t<DEL>\t.\t.\t.\n` : ''
    return `${skipped}chr1\t${position}\tv${index}\t${ref}\t${ref === 'A' ? 'CG' : 'A'}\t.\t.\t.\n`
  })
  await writeFile(at('v.vcf'), variants.join(''))
  await writeFile(at('p.bed'), positions.map((start) => `chr1\t${start}\t${start + 10}\n`).join(''))
  await writeFile(at('heads.onnx'), profileModel(LENGTH))
  await writeNpy(at('s.npy'), { dtype: 'uint8', shape: [EXAMPLES, LENGTH], data: codes })
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})
const at = (name: string) => join(folder, name)

const shuffles = (count: number) => [
  ...['--target', 'logits:0', '--reference', `dinuc-shuffle:${count}`, '--seed', '5'],
]
const SHUFFLES = shuffles(40)
const VARIANTS = ['--vcf', 'v.vcf', '--genome', 'g.fa']

interface Command {
  args: string[]
  extension: string
  /** An option that changes numbers. */
  other: string[]
  /** Examples of all walks over them. */
  total: number
  /** Examples of a block: few where they are fast. */
  block?: number
}

const COMMANDS: Record<string, Command> = {
  'score of sequences': {
    args: ['score', DEMO_MODEL, '--fasta', 's.fa', ...SHUFFLES],
    extension: '.npz',
    other: ['--seed', '6'],
    total: EXAMPLES,
  },
  'score of arrays': {
    args: ['score', DEMO_MODEL, '--input', 's.npy', ...SHUFFLES, '--format', 'chrombpnet'],
    extension: '.h5',
    other: ['--seed', '6'],
    total: EXAMPLES,
  },
  predict: {
    args: ['predict', DEMO_MODEL, '--fasta', 's.fa'],
    extension: '.tsv',
    other: ['--precision', 'float64'],
    total: EXAMPLES,
  },
  ism: {
    args: ['ism', DEMO_MODEL, '--fasta', 's.fa', '--target', 'logits:0'],
    extension: '.npz',
    other: ['--window', '10:20'],
    total: EXAMPLES,
  },
  variants: {
    args: ['variants', DEMO_MODEL, ...VARIANTS, ...shuffles(6), '--contributions'],
    extension: '.tsv',
    other: ['--seed', '6'],
    total: 3 * EXAMPLES,
    block: 5,
  },
  'variants among peaks': {
    args: [
      ...['variants', 'heads.onnx', ...VARIANTS, '--input', 'control=zeros', '--peaks', 'p.bed'],
      ...['--head', 'counts', '--head', 'profile'],
    ],
    extension: '.tsv',
    other: ['--schema', 'bed'],
    total: 2 * EXAMPLES,
  },
  marginalize: {
    args: [
      ...[
        'marginalize',
        DEMO_MODEL,
        '--motif',
        'GATAAG',
        '--motif',
        'TGACTCA',
        ...shuffles(6),
        '--contributions',
      ],
      ...['--background', 's.fa', '--shuffles', '2'],
    ],
    extension: '.tsv',
    other: ['--seed', '6'],
    total: 2 * EXAMPLES + 4 * EXAMPLES,
    block: 10,
  },
}

async function run(
  args: readonly string[],
  out: string,
  options: RunOptions = {},
  block = BLOCK,
): Promise<Finished> {
  const where = ['--out', out, '--block', String(block), '--threads', '1', '--batch', '3']
  return await runCli([...args, ...where], { cwd: folder, ...options })
}

describe.each(Object.entries(COMMANDS))('%s', (command, { args, extension, other, total, block = BLOCK }) => {
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
      await run(args, `${out}${extension}`, { interrupt, signal: 'SIGKILL' }, block)
    }
    const before = (await blocksIn(folder, out)).length
    expect(before).toBeGreaterThanOrEqual(7)
    const damaged = at(`${out}.job/blocks/000002.npz`)
    const bytes = await readFile(damaged)
    bytes[bytes.length >> 1]! ^= 0x55
    await writeFile(damaged, bytes)
    const { code, stdout, stderr } = await run([...args, '--json'], `${out}${extension}`, {}, block)
    expect(code, stderr).toBe(0)
    expect(stderr).toMatch(/000002\.npz.* It is computed again/)
    expect(stderr).toMatch(/Going on with .*-killed\.job: \d+ of \d+ .* are done/)
    const { kept, computed } = JSON.parse(stdout)
    // The last block of a walk may have less.
    expect(kept).toBeGreaterThanOrEqual((before - 2) * block)
    expect(kept + computed).toBe(total)
    await expectSame(out)
  })

  test('that is ended by SIGTERM exits with 143 in time; other parameters are refused', async () => {
    const out = `${name}-ended`
    let asked = 0
    const interrupt = whenDone(folder, out, 2).then(() => {
      asked = performance.now()
    })
    const { code, stderr } = await run(args, `${out}${extension}`, { interrupt, signal: 'SIGTERM' }, block)
    expect(performance.now() - asked).toBeLessThan(5000)
    expect(code).toBe(143)
    expect(stderr).toMatch(/Interrupted\. \d+ of \d+ .* are done and kept in .*-ended\.job: the same/)
    const refused = await run([...args, ...other], `${out}${extension}`, {}, block)
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(new RegExp(`unfinished job that differs: ${other[0]} was .*--restart`))
    const again = await run(args, `${out}${extension}`, {}, block)
    expect(again.code, again.stderr).toBe(0)
    await expectSame(out)
  })
})

describe('parts of', () => {
  test.each([
    ['variants', 3],
    ['predict', 2],
    ['marginalize', 2],
  ])('%s, %i of them, merge into the files of a single run', async (command, count) => {
    const { args, extension, total, block } = COMMANDS[command]!
    const [name, ...rest] = args
    const out = `${command}-parts`
    const whole = await resultsIn(folder, command)
    const planned = await run(['plan', name!, ...rest], `${out}${extension}`, {}, block)
    expect(planned.code, planned.stderr).toBe(0)
    const job = at(`${out}.job`)
    let computed = 0
    for (const index of Array.from({ length: count }, (_, i) => count - 1 - i)) {
      const part = ['--index', `${index}`, '--count', `${count}`, '--threads', '1', '--json']
      const { code, stdout, stderr } = await runCli(['shard', job, ...part], { cwd: tmpdir() })
      expect(code, stderr).toBe(0)
      computed += JSON.parse(stdout).computed
      const status = JSON.parse((await runCli(['status', job, '--verify', '--json'])).stdout)
      expect(status).toMatchObject({ done: computed, examples: total, complete: index === 0, damaged: [] })
    }
    const merged = await runCli(['merge', job, '--json'], { cwd: tmpdir() })
    expect(merged.code, merged.stderr).toBe(0)
    const found = await resultsIn(folder, out)
    expect([...found.keys()].sort()).toEqual([...whole.keys()].sort())
    for (const [key, bytes] of found)
      if (key !== '.params.json') expect(bytes.equals(whole.get(key)!), key).toBe(true)
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

test('examples of a pipe are computed without a job, and cannot be planned', async () => {
  const args = ['score', DEMO_MODEL, '--fasta', '-', ...SHUFFLES]
  const stdin = await readFile(at('s.fa'), 'utf8')
  const { code, stderr } = await run(args, 'piped.npz', { stdin })
  expect(code, stderr).toBe(0)
  expect((await readdir(folder)).filter((name) => name.startsWith('piped')).sort()).toEqual([
    'piped.npz',
    'piped.params.json',
  ])
  const planned = await run(['plan', ...args], 'piped.npz', { stdin })
  expect(planned.code).toBe(2)
  expect(planned.stderr).toContain('a pipe can be read only once')
})
