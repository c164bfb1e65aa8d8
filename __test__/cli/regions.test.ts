import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DeepLift, dinucleotideShuffle, type NpyArray, readNpz, writeNpy } from '../../src/index.js'
import { type Finished, type RunOptions, runCli } from '../support/cli.js'
import { bgzip, fastaOf, type Letters, twoBitOf } from '../support/genome.js'
import {
  channelsLastModel,
  profileModel,
  randomCodes,
  randomFloats,
  sequenceModel,
} from '../support/models.js'

const LENGTH = 40
const letters = (codes: Uint8Array) => Array.from(codes, (code) => 'ACGT'[code]).join('')
const GENOME: Letters = {
  chr1: `${letters(randomCodes(300, 1))}NNNN${letters(randomCodes(196, 2)).toLowerCase()}`,
  chr2: letters(randomCodes(90, 3)),
}
/** Chromosome, start, end, summit from the start. */
const PEAKS = [
  ['chr1', 100, 150, 10],
  ['chr1', 5, 30, 3],
  ['chr2', 40, 60, 5],
  ['chr1', 290, 320, 12],
  ['chr2', 80, 90, 9],
  ['chr1', 400, 440, 20],
  ['chr2', 20, 20, 0],
] as const
const BED = PEAKS.map(
  ([chrom, start, end, summit], i) => `${chrom}\t${start}\t${end}\tp${i}\t0\t.\t1\t2\t3\t${summit}`,
)
const WINDOWS = PEAKS.map(([chrom, start, , summit]) => [chrom, start + summit - LENGTH / 2] as const)
const isInside = ([chrom, start]: (typeof WINDOWS)[number]) =>
  start >= 0 && start + LENGTH <= GENOME[chrom]!.length
const KEPT = WINDOWS.flatMap((window, i) => (isInside(window) ? [i] : []))

/** Base codes of windows as they are cut from the letters. */
function codesOf(peaks: readonly number[], lowercase = 'upper'): Uint8Array {
  return Uint8Array.from(
    peaks.flatMap((peak) => {
      const [chrom, start] = WINDOWS[peak]!
      return Array.from({ length: LENGTH }, (_, i) => {
        const letter = GENOME[chrom]![start + i] ?? 'N'
        const code = 'ACGT'.indexOf(lowercase === 'upper' ? letter.toUpperCase() : letter)
        return code < 0 ? 4 : code
      })
    }),
  )
}

let folder: string
let model: DeepLift
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-regions-'))
  await writeFile(at('model.onnx'), sequenceModel(LENGTH))
  await writeFile(at('g.fa'), fastaOf(GENOME, 60))
  await writeFile(at('g.fa.gz'), bgzip(Buffer.from(fastaOf(GENOME, 60)), 100))
  await writeFile(at('g.2bit'), twoBitOf(GENOME))
  await writeFile(at('p.bed'), ['track name=x', ...BED, ''].join('\n'))
  await writeFile(at('p.narrowPeak.gz'), gzipSync(['track name=x', ...BED, ''].join('\n')))
  model = await DeepLift.load(at('model.onnx'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

const at = (name: string) => join(folder, name)
const floats = (array: NpyArray | undefined) => [...(array!.data as Float32Array)]
const REGIONS = () => ['--bed', at('p.bed'), '--genome', at('g.fa')]
const BASIC = ['--target', '1', '--reference', 'dinuc-shuffle:3', '--seed', '7', '--threads', '2']

async function run(args: string[], options?: RunOptions): Promise<Finished> {
  return await runCli(['score', at('model.onnx'), ...BASIC, ...args], options)
}

async function succeed(args: string[], options?: RunOptions): Promise<Finished> {
  const finished = await run(args, options)
  expect(finished.code, finished.stderr).toBe(0)
  return finished
}

async function libraryScores(codes: Uint8Array) {
  return await model.score(
    { x: { data: codes, shape: [codes.length / LENGTH, LENGTH] } },
    {
      references: dinucleotideShuffle({ count: 3, seed: 7 }),
      target: 1,
      outputs: ['contributions', 'hypothetical'],
    },
  )
}

describe('regions', () => {
  test('give the scores of their windows, with the rows that were kept', async () => {
    const { stdout, stderr } = await succeed([...REGIONS(), '--hypothetical', '--out', at('a.npz'), '--json'])
    expect(KEPT).toEqual([0, 2, 3, 5, 6])
    const archive = await readNpz(at('a.npz'))
    const expected = await libraryScores(codesOf(KEPT))
    expect(archive.contributions!.shape).toEqual([KEPT.length, 4, LENGTH])
    expect(floats(archive.contributions)).toEqual([...expected.contributions.x!.data])
    expect(floats(archive.hypothetical)).toEqual([...expected.hypothetical.x!.data])
    expect(floats(archive.completeness)).toEqual([...expected.completeness.data])
    expect(archive.names!.data).toEqual(KEPT.map((i) => `p${i}`))
    expect(await readFile(at('a.regions.bed'), 'utf8')).toBe(KEPT.map((i) => `${BED[i]}\n`).join(''))
    expect(JSON.parse(stdout)).toMatchObject({
      examples: 5,
      withUnknownBases: 1,
      regions: { rows: 7, kept: 5, dropped: { edge: 2, outside: 0 } },
      files: [at('a.npz'), at('a.regions.bed')],
      parameters: at('a.params.json'),
    })
    expect(stderr).toMatch(/2 of 7 regions are left out: line 3 \(chr1:5-30\): .*edge.*; line 6 \(chr2/)
    expect((await readdir(folder)).filter((name) => /\.job|tmp/.test(name))).toEqual([])
  })

  test('are the same bytes from any kind of genome, in any blocks and batches', async () => {
    await succeed([...REGIONS(), '--out', at('b.npz')])
    const first = await readFile(at('b.npz'))
    const cases = [
      ['--bed', at('p.narrowPeak.gz'), '--genome', at('g.2bit'), '--block', '1'],
      ['--bed', at('p.bed'), '--genome', at('g.fa.gz'), '--block', '2', '--batch', '3'],
      [...REGIONS(), '--block', '3', '--batch', '1'],
      [...REGIONS(), '--length', String(LENGTH), '--threads', '1'],
    ]
    for (const [index, args] of cases.entries()) {
      await succeed([...args, '--out', at(`b${index}.npz`)])
      expect(first.equals(await readFile(at(`b${index}.npz`))), args.join(' ')).toBe(true)
    }
  })

  test.skipIf(process.platform === 'win32')('may come from a pipe', async () => {
    await succeed([...REGIONS(), '--out', at('p1.npz')])
    execFileSync('mkfifo', [at('pipe.bed')])
    const written = readFile(at('p.bed')).then((rows) => writeFile(at('pipe.bed'), rows))
    await succeed(['--bed', at('pipe.bed'), '--genome', at('g.fa'), '--block', '2', '--out', at('p2.npz')])
    await written
    expect((await readFile(at('p1.npz'))).equals(await readFile(at('p2.npz')))).toBe(true)
  })

  test('may be padded over edges, and lower case may count as unknown', async () => {
    await succeed([...REGIONS(), '--hypothetical', '--edges', 'pad', '--out', at('c.npz')])
    const all = PEAKS.map((_, i) => i)
    const padded = await libraryScores(codesOf(all))
    expect(floats((await readNpz(at('c.npz'))).contributions)).toEqual([...padded.contributions.x!.data])
    await succeed([...REGIONS(), '--hypothetical', '--lowercase', 'unknown', '--out', at('c.npz')])
    const masked = await libraryScores(codesOf(KEPT, 'unknown'))
    expect(floats((await readNpz(at('c.npz'))).contributions)).toEqual([...masked.contributions.x!.data])
  })

  test('go into models with the letters last, and into the files of TF-MoDISco', async () => {
    await writeFile(at('last.onnx'), channelsLastModel(LENGTH))
    const args = [...BASIC, ...REGIONS(), '--format', 'modisco']
    for (const name of ['last', 'model']) {
      const { code, stderr } = await runCli(['score', at(`${name}.onnx`), ...args, '--out', at(`d.${name}`)])
      expect(code, stderr).toBe(0)
    }
    const sequences = (await readNpz(at('d.last.ohe.npz'))).arr_0!
    expect(sequences).toEqual((await readNpz(at('d.model.ohe.npz'))).arr_0)
    const codes = codesOf(KEPT)
    expect(sequences.shape).toEqual([KEPT.length, 4, LENGTH])
    const oneHot = sequences.data as Int8Array
    for (const [index, code] of codes.entries())
      for (let letter = 0; letter < 4; letter++) {
        const offset = (Math.floor(index / LENGTH) * 4 + letter) * LENGTH + (index % LENGTH)
        expect(oneHot[offset]).toBe(code === letter ? 1 : 0)
      }
  })

  test('go into tracks whose session finds the genome from where it lies', async () => {
    await mkdir(at('tracks'))
    await succeed([...REGIONS(), '--out', at('tracks/t.bw')])
    const session = JSON.parse(await readFile(at('tracks/t.bw.igv.json'), 'utf8'))
    expect(session.reference.fastaURL).toBe('../g.fa')
  })

  test('with other inputs and references from .npy files, whose rows are those of the BED file', async () => {
    await writeFile(at('heads.onnx'), profileModel(LENGTH))
    const heads = await DeepLift.load(at('heads.onnx'))
    const control = randomFloats(PEAKS.length * 2 * (LENGTH - 8), 4)
    const references = randomFloats(PEAKS.length * 2 * 4 * LENGTH, 5)
    await writeNpy(at('control.npy'), {
      dtype: 'float32',
      shape: [PEAKS.length, 2, LENGTH - 8],
      data: control,
    })
    await writeNpy(at('refs.npy'), {
      dtype: 'float32',
      shape: [PEAKS.length, 2, 4, LENGTH],
      data: references,
    })
    const args = [
      ...['score', at('heads.onnx'), ...REGIONS(), '--input', `control=${at('control.npy')}`, '--block', '2'],
      ...[
        '--reference',
        `sequence=file:${at('refs.npy')}`,
        '--reference',
        'control=self',
        '--head',
        'counts',
      ],
    ]
    const { code, stderr } = await runCli([...args, '--out', at('e.npz')])
    expect(code, stderr).toBe(0)
    const pick = (data: Float32Array, size: number) =>
      Float32Array.from(KEPT.flatMap((i) => [...data.subarray(i * size, (i + 1) * size)]))
    const expected = await heads.score(
      {
        sequence: { data: codesOf(KEPT), shape: [KEPT.length, LENGTH] },
        control: { data: pick(control, 2 * (LENGTH - 8)), shape: [KEPT.length, 2, LENGTH - 8] },
      },
      {
        references: {
          sequence: {
            perExample: { data: pick(references, 8 * LENGTH), shape: [KEPT.length, 2, 4, LENGTH] },
          },
          control: 'self',
        },
        target: { head: 'counts' },
      },
    )
    const archive = await readNpz(at('e.npz'))
    expect(floats(archive['contributions.sequence'])).toEqual([...expected.contributions.sequence!.data])
  })
})

describe('what goes wrong', () => {
  const cases: [string, () => string[], number, ...(string | RegExp)[]][] = [
    ['no genome', () => ['--bed', at('p.bed')], 2, '--genome'],
    ['two sources', () => [...REGIONS(), '--fasta', at('g.fa')], 2, '--fasta or from --bed'],
    ['an unknown policy', () => [...REGIONS(), '--edges', 'clip'], 2, 'drop, pad'],
    ['another length than that of the model', () => [...REGIONS(), '--length', '50'], 2, '40 bases'],
    ['a missing genome', () => ['--bed', at('p.bed'), '--genome', at('no.fa')], 3, 'no.fa does not exist'],
  ]
  test.each(cases)('%s', async (_, args, code, ...patterns) => {
    const finished = await run([...args(), '--out', at('wrong.npz')])
    for (const pattern of patterns) expect(finished.stderr).toMatch(pattern)
    expect(finished.code).toBe(code)
    expect(finished.stderr).not.toContain('    at ')
    expect((await readdir(folder)).filter((name) => name.startsWith('wrong'))).toEqual([])
  })

  test('a chromosome that the genome does not have, and a file without usable regions', async () => {
    await writeFile(at('x.bed'), 'chr1\t100\t200\n1\t100\t200\n')
    const args = ['--genome', at('g.fa'), '--out', at('wrong.npz')]
    const unknown = await run(['--bed', at('x.bed'), ...args])
    expect(unknown.code).toBe(3)
    expect(unknown.stderr).toMatch(/x\.bed, line 2: .*no chromosome "1", only chr1, chr2\. It has "chr1"/)
    await writeFile(at('y.bed'), 'chr2\t0\t2\nchr2\t200\t210\n')
    const none = await run(['--bed', at('y.bed'), ...args])
    expect(none.code).toBe(3)
    expect(none.stderr).toMatch(/none of 2 regions has a window of 40 bases.*line 1 \(chr2:0-2\)/)
    expect((await readdir(folder)).filter((name) => name.startsWith('wrong'))).toEqual([])
  })
})
