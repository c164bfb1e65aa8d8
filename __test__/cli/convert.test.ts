/** `convert` and `seqlets` on what `score` writes. */

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BigWig } from '@gmod/bbi'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SequenceRows } from '../../src/formats/rows.js'
import { openScoreFile } from '../../src/formats/score-file.js'
import { writeNpy } from '../../src/index.js'
import { runCli } from '../support/cli.js'
import { oneHot, randomCodes, sequenceModel } from '../support/models.js'

const LENGTH = 40
const CENTRES = [30, 45, 130, 99]
const GENOME = Array.from(randomCodes(200, 3), (code) => 'ACGT'[code]).join('')
const WINDOWS = CENTRES.map((centre) => GENOME.slice(centre - LENGTH / 2, centre + LENGTH / 2))

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-convert-'))
  await writeFile(at('m.onnx'), sequenceModel(LENGTH))
  await writeFile(at('s.fa'), WINDOWS.map((letters, index) => `>s${index}\n${letters}\n`).join(''))
  await writeFile(at('g.fa'), `>chr1\n${GENOME}\n>chr2\nACGT\n`)
  await writeFile(at('s.bed'), CENTRES.map((centre) => `chr1\t${centre - 3}\t${centre + 3}\n`).join(''))
  await score('s.npz', ['--hypothetical'])
  await score('first.h5', ['--format', 'chrombpnet'])
  await score('pair', ['--format', 'modisco'])
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})
const at = (name: string) => join(folder, name)

async function succeed(...args: string[]): Promise<string> {
  const { code, stderr, stdout } = await runCli(args)
  expect(code, stderr).toBe(0)
  return stdout
}

async function score(out: string, args: readonly string[]): Promise<void> {
  const basic = ['--fasta', at('s.fa'), '--target', '1', '--reference', 'zeros', '--quiet']
  await succeed('score', at('m.onnx'), ...basic, '--out', at(out), ...args)
}

/** All rows of a file as one. */
async function contents(name: string) {
  const file = await openScoreFile(at(name))
  try {
    const { count, length, provenance } = file
    const rows: SequenceRows[] = []
    for await (const each of file.rows()) rows.push(each)
    return {
      count,
      length,
      provenance,
      oneHot: rows.flatMap((each) => [...each.oneHot]),
      hypothetical: rows.flatMap((each) => [...each.hypothetical!]),
      projected: rows.flatMap((each) => [...each.projected]),
      sites: rows.flatMap((each) => each.sites ?? []),
    }
  } finally {
    await file.close()
  }
}

describe('convert', () => {
  test('leads from any format to any other and back, without a change', async () => {
    const original = await contents('s.npz')
    expect(original).toMatchObject({ count: 4, length: LENGTH })
    expect(original.oneHot).toEqual([...oneHot(randomCodesOf(WINDOWS), LENGTH)])
    expect(await contents('first.h5')).toEqual(original)
    expect(await contents('pair')).toEqual(original)

    await succeed('convert', at('s.npz'), at('a.h5'), '--format', 'chrombpnet')
    await succeed('convert', at('a.h5'), at('b.h5'), '--format', 'bpnet', '--bed', at('s.bed'), '--compress')
    await succeed('convert', at('b.h5'), at('c'))
    expect(await readFile(at('a.h5'))).toEqual(await readFile(at('first.h5')))
    const { sites, ...rest } = await contents('b.h5')
    expect({ ...rest, sites: [] }).toEqual(original)
    expect(sites).toEqual(
      CENTRES.map((summit) => ({ chrom: 'chr1', start: summit - 20, end: summit + 20, summit })),
    )
    expect(await contents('c.attr.npz')).toEqual(original)
    expect(await readFile(at('c.attr.npz'))).toEqual(await readFile(at('pair.attr.npz')))
  })

  test('of scores without hypothetical ones makes a track', async () => {
    await score('plain.npz', [])
    await succeed('convert', at('plain.npz'), at('p.bw'), '--bed', at('s.bed'), '--genome', at('g.fa'))
    await succeed('convert', at('b.h5'), at('q.bw'), '--genome', at('g.fa'))
    const read = async (name: string) => await new BigWig({ path: at(name) }).getFeatures('chr1', 0, 200)
    const [plain, fromHdf5] = [await read('p.bw'), await read('q.bw')]
    const { projected } = await contents('s.npz')
    expect(plain.map(({ start }) => start)).toEqual(fromHdf5.map(({ start }) => start))
    for (const [index, { start, score }] of plain.entries()) {
      expect(score).toBeCloseTo(fromHdf5[index]!.score!, 6)
      // Summits 30 and 45 are cut at 37, 99 and 130 at 114.
      const row = start < 37 ? 0 : start < 65 ? 1 : start < 114 ? 3 : 2
      expect(score).toBeCloseTo(projected[row * LENGTH + start - (CENTRES[row]! - 20)]!, 6)
    }
    expect(plain.length).toBe(65 - 10 + 150 - 79)
  })

  test.each([
    [['s.npz', 'x.h5'], 2, 'which layout'],
    [['s.npz', 'x.h5', '--format', 'bpnet'], 2, '--bed'],
    [['s.npz', 'x.bw', '--bed', 's.bed'], 2, '--genome'],
    [['s.npz', 'x.bw', '--bed', 'short.bed', '--genome', 'g.fa'], 3, '1 rows, the scores are of 4'],
    [['codes.npz', 'x'], 3, 'codes.npz'],
    [['values.npz', 'x'], 3, 'no sequences'],
    [['several.npz', 'x'], 2, 'holds 2 targets: choose one by --target, from 0 to 1'],
    [['several.npz', 'x', '--target', '2'], 2, '--target 2: those of'],
    [['s.npz', 'x', '--target', '1'], 2, '--target 1: those of'],
    [['first.h5', 'x', '--target', '0'], 2, 'holds one target: leave out --target'],
    [['plain.npz', 'x'], 2, '--hypothetical'],
    [['missing.npz', 'x'], 3, 'does not exist'],
    [['s.fa', 'x'], 3, 's.fa'],
  ])('%s is refused, and no file is left', async (args, code, message) => {
    await writeFile(at('short.bed'), 'chr1\t27\t33\n')
    await score('several.npz', ['--hypothetical', '--target', '0'])
    await score('plain.npz', [])
    const codes = randomCodes(LENGTH, 1)
    await writeNpy(at('x.npy'), { dtype: 'float32', shape: [1, 4, LENGTH], data: oneHot(codes, LENGTH) })
    const values = ['--input', at('x.npy'), '--target', '1', '--reference', 'zeros']
    await succeed('score', at('m.onnx'), ...values, '--out', at('values.npz'))
    await writeFile(at('codes.npz'), 'no archive')
    const before = await readdir(folder)
    const paths = args.map((each) => (/^(--|bpnet|\d)/.test(each) ? each : at(each)))
    const { code: found, stderr } = await runCli(['convert', ...paths])
    expect(stderr).toContain(message)
    expect(found).toBe(code)
    expect(await readdir(folder)).toEqual(before)
  })
})

const randomCodesOf = (letters: readonly string[]) =>
  Uint8Array.from([...letters.join('')], (letter) => 'ACGT'.indexOf(letter))

test('shuffles have the dinucleotides of the sequences of a file', async () => {
  await succeed('shuffle', at('pair'), '--count', '3', '--out', at('shuffled.fa'))
  const records = (await readFile(at('shuffled.fa'), 'utf8')).trim().split(/\n?>/).slice(1)
  const shuffles = records.map((record) => record.split('\n') as [string, string])
  expect(shuffles.map(([name]) => name)).toEqual(
    WINDOWS.flatMap((_, row) => [0, 1, 2].map((shuffle) => `${row}_${shuffle}`)),
  )
  const pairs = (letters: string) =>
    Array.from(letters.slice(1), (letter, at) => letters[at]! + letter).sort()
  for (const [index, [, letters]] of shuffles.entries()) {
    const original = WINDOWS[Math.floor(index / 3)]!
    expect(letters).not.toBe(original)
    expect(pairs(letters)).toEqual(pairs(original))
  }
})

describe('seqlets', () => {
  test('are written as BED in the coordinates of the genome, by falling attribution', async () => {
    const options = ['--threshold', '0.4', '--min-length', '3', '--max-length', '9']
    await succeed('seqlets', at('s.npz'), '--out', at('own.bed'), ...options)
    await succeed('seqlets', at('first.h5'), '--out', at('genome.bed'), '--bed', at('s.bed'), ...options)
    const table = async (name: string) =>
      (await readFile(at(name), 'utf8'))
        .trim()
        .split('\n')
        .map((line) => line.split('\t'))
    const [own, genome] = [await table('own.bed'), await table('genome.bed')]
    expect(own.length).toBeGreaterThan(3)
    const { projected } = await contents('s.npz')
    for (const [index, [name, start, end, attribution, pValue]] of own.entries()) {
      const row = Number(name!.slice(1))
      const values = projected.slice(row * LENGTH + Number(start), row * LENGTH + Number(end))
      expect(Number(attribution)).toBeCloseTo(
        values.reduce((sum, value) => sum + value, 0),
        5,
      )
      expect(Number(pValue)).toBeLessThan(0.4)
      if (index > 0) expect(Number(own[index - 1]![3])).toBeGreaterThanOrEqual(Number(attribution))
      const offset = CENTRES[row]! - 20
      expect(genome[index]!.slice(0, 3)).toEqual([
        'chr1',
        String(Number(start) + offset),
        String(Number(end) + offset),
      ])
    }
    const beside = JSON.parse(await readFile(at('own.bed.json'), 'utf8'))
    expect(beside).toMatchObject({
      provenance: { program: 'deeplift' },
      seqlets: { threshold: 0.4, shortest: 3, longest: 9, flanks: 0, sign: 'positive' },
    })
  })

  test('of low contributions are those of high ones of a target of the other sign', async () => {
    await score('signs.npz', ['--target', '1-0', '--target', '0-1'])
    const [up, down] = ['1', '2']
    const table = async (target: string, sign: string) => {
      const options = ['--target', target, '--sign', sign, '--threshold', '0.4', '--max-length', '9']
      await succeed('seqlets', at('signs.npz'), '--out', at('signed.bed'), ...options)
      const lines = (await readFile(at('signed.bed'), 'utf8')).trim().split('\n')
      return lines.map((line) => line.split('\t')).map(([name, ...rest]) => [name, ...rest.map(Number)])
    }
    const low = await table(up!, 'negative')
    const high = await table(down!, 'positive')
    expect(low.length).toBeGreaterThan(3)
    const places = (rows: (string | number | undefined)[][]) =>
      rows.map((row) => row.slice(0, 3).join(':')).sort()
    expect(places(low)).toEqual(places(high))
    for (const [, , , attribution] of low) expect(attribution).toBeLessThan(0)
    const both = await table(up!, 'both')
    expect(both.length).toBe(low.length + (await table(up!, 'positive')).length)
    const attributions = both.map(([, , , attribution]) => Number(attribution))
    expect(attributions).toEqual([...attributions].sort((a, b) => b - a))
  })

  test('at a false discovery rate take the threshold from a control', async () => {
    const letters = Array.from(randomCodes(12 * LENGTH, 8), (code) => 'ACGT'[code]).join('')
    const control = Array.from({ length: 12 }, (_, row) => letters.slice(row * LENGTH, (row + 1) * LENGTH))
    await writeFile(at('control.fa'), control.map((row, index) => `>c${index}\n${row}\n`).join(''))
    await score('control.npz', ['--fasta', at('control.fa')])
    const options = ['--control', at('control.npz'), '--fdr', '1', '--min-length', '3', '--max-length', '9']
    await succeed('seqlets', at('s.npz'), '--out', at('rate.bed'), ...options)
    const { rates } = JSON.parse(await readFile(at('rate.bed.json'), 'utf8'))
    expect(rates).toHaveLength(1)
    const [{ sign, threshold, thresholds }] = rates
    expect([sign, thresholds.length]).toEqual(['positive', 117])
    const chosen = thresholds.find((each: { rate: number | null }) => each.rate !== null && each.rate <= 1)
    expect(chosen).toMatchObject({ threshold, rate: ((chosen.control + 1) * 4) / 12 / chosen.seqlets })
    const again = ['--threshold', String(threshold), '--min-length', '3', '--max-length', '9']
    await succeed('seqlets', at('s.npz'), '--out', at('same.bed'), ...again)
    const found = await readFile(at('rate.bed'), 'utf8')
    expect(found).toBe(await readFile(at('same.bed'), 'utf8'))
    expect(found.trim().split('\n')).toHaveLength(chosen.seqlets)
  })

  test('at a rate that no threshold has are none', async () => {
    const same = ['--control', at('s.npz'), '--sign', 'both', '--out', at('none.bed')]
    const { code, stderr } = await runCli(['seqlets', at('s.npz'), ...same])
    expect(code).toBe(0)
    expect(stderr).toMatch(/no threshold has a false discovery rate of 0.1 for high contributions/)
    expect(stderr).toMatch(/for low contributions/)
    expect(await readFile(at('none.bed'), 'utf8')).toBe('')
  })

  test.each([
    [['--fdr', '0.1'], /--control, which is missing/],
    [['--control', 's.npz', '--threshold', '0.1'], /leave out --threshold/],
    [['--control', 's.npz', '--fdr', '2'], /--fdr: expected a probability/],
  ])('with %j are refused', async (options, message) => {
    const { code, stderr } = await runCli(['seqlets', at('s.npz'), '--out', at('x.bed'), ...options])
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
  })

  test.each([
    ['--threshold', '0'],
    ['--threshold', 'x'],
    ['--max-length', '3'],
    ['--sign', 'odd'],
  ])('with %s %s are refused', async (option, value) => {
    const { code, stderr } = await runCli(['seqlets', at('s.npz'), '--out', at('x.bed'), option, value])
    expect(code).toBe(2)
    expect(stderr).toContain(option)
  })
})
