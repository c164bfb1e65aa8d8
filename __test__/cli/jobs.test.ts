import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { blocksOf, shareOf } from '../../src/cli/jobs/share.js'
import { type Finished, type RunOptions, runCli } from '../support/cli.js'
import { expectError } from '../support/errors.js'
import { fastaOf, twoBitOf } from '../support/genome.js'
import { blocksIn, resultsIn, whenDone as whenBlocks } from '../support/jobs.js'
import { DEMO_MODEL, randomCodes } from '../support/models.js'

const SIZE = 60_000
/** The last block is not full. */
const REGIONS = 62
const BLOCK = 4
const BLOCKS = 16

let folder: string
/** The files of an uninterrupted run, by what follows their prefix. */
let expected: Map<string, Buffer>
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-jobs-'))
  const genome = Array.from(randomCodes(SIZE, 1), (code) => 'ACGT'[code]).join('')
  await writeFile(at('g.fa'), fastaOf({ chr1: genome }, 50))
  const starts = Array.from({ length: REGIONS }, (_, i) => (i * 7919) % (SIZE - 200))
  await writeFile(at('p.bed'), starts.map((start) => `chr1\t${start}\t${start + 200}\n`).join(''))
  expectOk(await score('whole', ['--keep-job']))
  expected = await results('whole')
  expect([...expected.keys()].sort()).toEqual(['.npz', '.params.json', '.regions.bed'])
  expect(await readdir(at('whole.job/blocks'))).toHaveLength(BLOCKS)
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

const at = (name: string) => join(folder, name)
const SCORING = ['--target', 'logits:0', '--reference', 'dinuc-shuffle:40', '--block', String(BLOCK)]
const args = (out: string) => [
  ...[DEMO_MODEL, '--bed', at('p.bed'), '--genome', at('g.fa'), ...SCORING],
  ...['--threads', '1', '--out', at(`${out}.npz`)],
]

async function score(out: string, more: string[] = [], options?: RunOptions): Promise<Finished> {
  return await runCli(['score', ...args(out), ...more], options)
}

function expectOk({ code, stderr }: Finished): void {
  expect(code, stderr).toBe(0)
}

const results = (out: string) => resultsIn(folder, out)

/** The files of `out` have the bytes of the uninterrupted run; only the parameters name the files themselves. */
async function expectSame(out: string): Promise<void> {
  const found = await results(out)
  expect([...found.keys()].sort()).toEqual([...expected.keys()].sort())
  for (const [name, bytes] of found)
    if (name !== '.params.json') expect(bytes.equals(expected.get(name)!), `${out}${name}`).toBe(true)
}

const blocks = (out: string) => blocksIn(folder, out)
const whenDone = (out: string, count: number) => whenBlocks(folder, out, count)

describe('a run that is ended', () => {
  test('by SIGKILL at any moment goes on to the same bytes', async () => {
    const kills = [0, 1, 3, 6, 9, 12]
    for (const [index, count] of kills.entries()) {
      const pause = (index * 37) % 50
      const interrupt = whenDone('killed', count).then(
        () => new Promise((resolve) => setTimeout(resolve, pause)),
      )
      await score('killed', ['--batch', '3'], { interrupt, signal: 'SIGKILL' })
    }
    expectOk(await score('killed'))
    await expectSame('killed')
  })

  test('by SIGTERM exits with 143 in time, keeps its blocks, and says so', async () => {
    const before = performance.now()
    let asked = before
    const interrupt = whenDone('ended', 2).then(() => {
      asked = performance.now()
    })
    const { code, stderr } = await score('ended', [], { interrupt, signal: 'SIGTERM' })
    expect(performance.now() - asked).toBeLessThan(5000)
    expect(code).toBe(143)
    expect(stderr).toMatch(
      /Interrupted\. \d+ of 62 regions are done and kept in .*ended\.job: the same command/,
    )
    const kept = (await blocks('ended')).length
    expect(kept).toBeGreaterThanOrEqual(2)
    const status = JSON.parse((await runCli(['status', at('ended.job'), '--verify', '--json'])).stdout)
    expect(status).toMatchObject({ done: kept * BLOCK, examples: REGIONS, damaged: [], complete: false })
    const { stdout } = await score('ended', ['--json'])
    expect(JSON.parse(stdout)).toMatchObject({ examples: REGIONS, computed: REGIONS - kept * BLOCK })
    await expectSame('ended')
    expect(await readdir(folder)).not.toContain('ended.job')
  })

  test('by Ctrl-C exits with 130', async () => {
    const interrupt = whenDone('stopped', 1)
    expect((await score('stopped', [], { interrupt })).code).toBe(130)
  })
})

describe('a damaged block', () => {
  test('is found and computed again, wherever it is damaged', async () => {
    const size = (await stat(at('whole.job/blocks/000003.npz'))).size
    for (const [index, offset] of [0, 200, Math.floor(size / 2), size - 3].entries()) {
      const out = `damaged${index}`
      await cp(at('whole.job'), at(`${out}.job`), { recursive: true })
      await rm(at(`${out}.job/job.json`))
      await rm(at(`${out}.job`), { recursive: true })
      expectOk(await runCli(['plan', ...args(out)]))
      await cp(at('whole.job/blocks'), at(`${out}.job/blocks`), { recursive: true })
      const path = at(`${out}.job/blocks/000003.npz`)
      const bytes = await readFile(path)
      bytes[offset]! ^= 0x55
      await writeFile(path, bytes)
      const { stderr, code, stdout } = await score(out, ['--json'])
      expect(code, stderr).toBe(0)
      expect(stderr, String(offset)).toMatch(/000003\.npz.* It is computed again/)
      expect(JSON.parse(stdout).computed).toBe(BLOCK)
      await expectSame(out)
    }
  })

  test('of another job is not taken for one of this', async () => {
    expectOk(await runCli(['plan', ...args('other'), '--seed', '9']))
    await cp(at('whole.job/blocks'), at('other.job/blocks'), { recursive: true })
    const { stderr, stdout } = await score('other', ['--seed', '9', '--json'])
    expect(stderr).toContain('it belongs to another job')
    expect(JSON.parse(stdout).computed).toBe(REGIONS)
    expect((await results('other')).get('.npz')!.equals(expected.get('.npz')!)).toBe(false)
  })
})

describe('shards', () => {
  test.each([1, 2, 3, 7])('%i of them merge into the files of a single run', async (count) => {
    const out = `shards${count}`
    expectOk(await runCli(['plan', ...args(out)]))
    const job = at(`${out}.job`)
    const early = await runCli(['merge', job])
    expect(early.code).toBe(3)
    expect(early.stderr).toMatch(/16 of 16 blocks are missing, the first is 0/)
    for (const index of Array.from({ length: count }, (_, i) => count - 1 - i)) {
      // Every scheduler says it in its own way; from another folder, twice.
      const environments: Record<string, string>[] = [
        {
          SLURM_ARRAY_TASK_ID: `${index + 5}`,
          SLURM_ARRAY_TASK_MIN: '5',
          SLURM_ARRAY_TASK_COUNT: `${count}`,
        },
        { AWS_BATCH_JOB_ARRAY_INDEX: `${index}`, AWS_BATCH_JOB_ARRAY_SIZE: `${count}` },
        { JOB_COMPLETION_INDEX: `${index}` },
      ]
      const which = index % 4
      const more =
        which === 3
          ? ['--index', `${index}`, '--count', `${count}`]
          : which === 2
            ? ['--count', `${count}`]
            : []
      const run = () =>
        runCli(['shard', job, '--threads', '1', '--json', ...more], {
          cwd: tmpdir(),
          env: environments[which] ?? {},
        })
      const first = await run()
      expectOk(first)
      expect(JSON.parse(first.stdout)).toMatchObject({ index, count, kept: 0 })
      if (index === 0) expect(JSON.parse((await run()).stdout).computed).toBe(0)
    }
    expectOk(await runCli(['merge', job], { cwd: tmpdir() }))
    await expectSame(out)
    expect(await readdir(folder)).not.toContain(basename(job))
  })

  test('cover every block once', () => {
    for (const [count, total] of [
      [1, 5],
      [3, 7],
      [7, 3],
      [4, 4],
    ] as const) {
      const parts = Array.from({ length: count }, (_, index) => blocksOf({ index, count }, total))
      const all = parts.flatMap(({ first, end }) => Array.from({ length: end - first }, (_, i) => first + i))
      expect(all).toEqual(Array.from({ length: total }, (_, i) => i))
    }
  })

  test('of parts that do not exist are refused', async () => {
    await expectError(() => shareOf({ index: '3', count: '3' }, {}), 'INVALID_OPTION', 'from 0 to 2')
    await expectError(() => shareOf({ index: '0' }, {}), 'INVALID_OPTION', '--count')
    await expectError(() => shareOf({ count: '3' }, {}), 'INVALID_OPTION', '--index')
    await expectError(() => shareOf({}, { JOB_COMPLETION_INDEX: '1' }), 'INVALID_OPTION', '--count')
    expect(shareOf({}, {})).toEqual({ index: 0, count: 1 })
    // A part of an array that is submitted again keeps its number.
    const again = { SLURM_ARRAY_TASK_ID: '7', SLURM_ARRAY_TASK_MIN: '7', SLURM_ARRAY_TASK_COUNT: '1' }
    expect(shareOf({ count: '10' }, again)).toEqual({ index: 7, count: 10 })
  })
})

describe('a job of other parameters', () => {
  test('is refused by name of what differs, and discarded with --restart', async () => {
    expectOk(await runCli(['plan', ...args('differs')]))
    const refused = await score('differs', ['--seed', '2', '--multipliers'])
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(/--seed was "1", now "2"/)
    expect(refused.stderr).toMatch(/--multipliers was not given, now true/)
    expect(refused.stderr).toContain('--restart')
    await writeFile(at('q.bed'), 'chr1\t5000\t5100\n')
    const regions = await score('differs', ['--bed', at('q.bed')])
    expect(regions.stderr).toContain('another list of regions')
    expectOk(await score('differs', ['--bed', at('q.bed'), '--restart']))
    expect((await results('differs')).get('.regions.bed')!.toString()).toBe('chr1\t5000\t5100\n')
  })

  test('is one on other bases of chromosomes of the same lengths, in whatever format', async () => {
    const genome = Array.from(randomCodes(SIZE, 1), (code) => 'ACGT'[code]).join('')
    const own = (file: string) => ['plan', ...args('bases'), '--genome', at(file)]
    await writeFile(at('g3.fa'), fastaOf({ chr1: genome }, 50))
    expectOk(await runCli(own('g3.fa')))
    await writeFile(at('g3.2bit'), twoBitOf({ chr1: genome }))
    expectOk(await runCli(own('g3.2bit')))
    await writeFile(at('g3.fa'), fastaOf({ chr1: `${genome.slice(1)}A` }, 50))
    const { code, stderr } = await runCli(own('g3.fa'))
    expect(code).toBe(2)
    expect(stderr).toContain('another genome, by its bases')
    const shard = await runCli(['shard', at('bases.job')])
    expect(shard.code).toBe(0)
  })

  test('and folders of anything else are not touched', async () => {
    await mkdir(at('mine.job'))
    await writeFile(at('mine.job/thesis.txt'), 'words')
    for (const more of [[], ['--restart']]) {
      const { code, stderr } = await score('mine', more)
      expect(code).toBe(2)
      expect(stderr).toContain('thesis.txt')
    }
    expect(await readdir(at('mine.job'))).toEqual(['thesis.txt'])
    const shard = await runCli(['shard', at('mine.job')])
    expect(shard.code).toBe(3)
    expect(shard.stderr).toContain('is not the folder of a job')
  })

  test('whose files have changed since it was planned does not go on', async () => {
    await cp(at('g.fa'), at('g2.fa'))
    await cp(DEMO_MODEL, at('m.onnx'))
    const own = ['plan', at('m.onnx'), ...args('changed').slice(1), '--genome', at('g2.fa')]
    expectOk(await runCli(own))
    await writeFile(
      at('m.onnx'),
      await readFile(DEMO_MODEL).then((bytes) => Buffer.concat([bytes, Buffer.of(0x52, 0)])),
    )
    const { code, stderr } = await runCli(['shard', at('changed.job')])
    expect(code, stderr).toBe(3)
    expect(stderr).toMatch(/changed since the job was planned: another model/)
  })
})

describe('a full disk', () => {
  test('in the middle of merging loses nothing', async () => {
    // Blocks fit, the merged file does not.
    const limited = await score('limited', [], { fileLimit: 200 })
    expect(limited.code, limited.stderr).toBe(3)
    expect(limited.stderr).toMatch(/cannot be written: files may not become that large here \(EFBIG\)/)
    expect(limited.stderr).toMatch(/All results are there \(62 of 62 regions\) and kept in .*limited\.job/)
    expect([...(await results('limited')).keys()]).toEqual([])
    const { stdout, stderr } = await score('limited', ['--json'])
    expect(JSON.parse(stdout).computed, stderr).toBe(0)
    await expectSame('limited')
  })

  const mounted = mount()
  test.skipIf(mounted === undefined)('in the middle of computing loses nothing', async () => {
    const full = mounted!
    try {
      const where = (more: string[]) => ['score', ...args('x'), '--out', join(full, 'x.npz'), ...more]
      const { code, stderr } = await runCli(where([]))
      expect(code, stderr).toBe(3)
      expect(stderr).toMatch(/the disk is full \(ENOSPC\).*\d+ of 62 regions are done and kept/)
      execFileSync('mount', ['-o', 'remount,size=50m', full])
      const again = await runCli(where(['--json']))
      const { computed } = JSON.parse(again.stdout) as { computed: number }
      expect(computed).toBeGreaterThan(0)
      expect(computed).toBeLessThan(REGIONS)
      expect((await readFile(join(full, 'x.npz'))).equals(expected.get('.npz')!)).toBe(true)
    } finally {
      execFileSync('umount', [full])
      await rmdir(full)
    }
  })
})

/** A file system of 120 KiB, where this process may mount one. */
function mount(): string | undefined {
  const path = mkdtempSync(join(tmpdir(), 'deeplift-full-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=120k', 'tmpfs', path], { stdio: 'ignore' })
    return path
  } catch {
    rmdirSync(path)
    return undefined
  }
}
