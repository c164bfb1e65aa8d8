import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parameterSchema } from '../../src/cli/parameters.js'
import { createProgram } from '../../src/cli/program.js'
import { DeepLift, type FloatArray, readNpy, readNpz, writeNpy } from '../../src/index.js'
import { runCli } from '../support/cli.js'
import { fastaOf } from '../support/genome.js'
import { profileModel, randomCodes, randomFloats, sequenceModel } from '../support/models.js'

const LENGTH = 40
const letters = (codes: Uint8Array) => Array.from(codes, (code) => 'ACGT'[code]).join('')
const GENOME = letters(randomCodes(500, 1))
const RECORDS = Array.from({ length: 7 }, (_, index) => randomCodes(LENGTH, 20 + index))
const FASTA = Object.fromEntries(RECORDS.map((codes, index) => [`s${index}`, letters(codes)]))

let folder: string
let model: DeepLift
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-predict-'))
  await writeFile(at('model.onnx'), sequenceModel(LENGTH))
  await writeFile(at('heads.onnx'), profileModel(LENGTH))
  await writeFile(at('s.fa'), fastaOf(FASTA, 60))
  await writeFile(at('g.fa'), fastaOf({ chr1: GENOME }, 60))
  await writeFile(at('p.bed'), 'chr1\t100\t140\tfirst\nchr1\t3\t7\nchr1\t400\t420\n')
  model = await DeepLift.load(at('model.onnx'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

const at = (name: string) => join(folder, name)

async function deeplift(args: string[], code = 0) {
  const finished = await runCli(['predict', ...args, '--threads', '2'], { cwd: folder })
  expect(finished.code, finished.stderr).toBe(code)
  return finished
}

async function expected(codes: readonly Uint8Array[]): Promise<FloatArray> {
  const data = Uint8Array.from(codes.flatMap((each) => [...each]))
  return (await model.predict({ x: { data, shape: [codes.length, LENGTH] } })).y!.data
}

const region = (start: number) =>
  Uint8Array.from(GENOME.slice(start, start + LENGTH), (letter) => 'ACGT'.indexOf(letter))

describe('files', () => {
  test('.npz of sequences has a key per output, names, provenance, and parameters beside it', async () => {
    const { stdout } = await deeplift(['model.onnx', '--fasta', 's.fa', '--out', 'a.npz', '--json'])
    const { y, names, provenance } = await readNpz(at('a.npz'))
    expect(y!.shape).toEqual([7, 3])
    expect([...(y!.data as Float32Array)]).toEqual([...(await expected(RECORDS))])
    expect(names!.data).toEqual(Object.keys(FASTA))
    expect(JSON.parse((provenance!.data as string[])[0]!)).toMatchObject({
      predicted: { precision: 'float32' },
    })
    expect(JSON.parse(stdout)).toMatchObject({ examples: 7, files: ['a.npz'], parameters: 'a.params.json' })
    await deeplift(['--params', 'a.params.json', '--out', 'b.npz', '--batch', '2'])
    expect(await readFile(at('b.npz'))).toEqual(await readFile(at('a.npz')))
  })

  test('of regions, with the rows that are kept', async () => {
    const { stderr } = await deeplift(['model.onnx', '--bed', 'p.bed', '--genome', 'g.fa', '--out', 'r.npz'])
    expect(stderr).toContain('1 of 3 regions are left out: line 2')
    const { y, names } = await readNpz(at('r.npz'))
    expect([...(y!.data as Float32Array)]).toEqual([...(await expected([region(100), region(390)]))])
    expect(names!.data).toEqual(['first', 'chr1:390-430'])
    expect(await readFile(at('r.regions.bed'), 'utf8')).toBe('chr1\t100\t140\tfirst\nchr1\t400\t420\n')
  })

  test('.tsv reads back as the same numbers', async () => {
    await deeplift(['model.onnx', '--bed', 'p.bed', '--genome', 'g.fa', '--out', 't.tsv'])
    const [head, ...rows] = (await readFile(at('t.tsv'), 'utf8')).trimEnd().split('\n')
    expect(head).toBe('chrom\tstart\tend\tname\ty:0\ty:1\ty:2')
    const cells = rows.map((row) => row.split('\t'))
    expect(cells.map((row) => row.slice(0, 4))).toEqual([
      ['chr1', '100', '140', 'first'],
      ['chr1', '390', '430', 'chr1:390-430'],
    ])
    const values = cells.flatMap((row) => row.slice(4).map(Number))
    expect(values.map(Math.fround)).toEqual([...(await expected([region(100), region(390)]))])
    await deeplift(['model.onnx', '--fasta', 's.fa', '--out', 'd.tsv', '--precision', 'float64'])
    expect((await readFile(at('d.tsv'), 'utf8')).split('\n')[0]).toBe('name\ty:0\ty:1\ty:2')
  })

  test('of several inputs, one output chosen', async () => {
    const control = { data: randomFloats(7 * 2 * 32, 3), shape: [7, 2, 32] }
    await writeNpy(at('control.npy'), { dtype: 'float32', ...control })
    const sources = ['--fasta', 's.fa', '--input', 'control=control.npy']
    await deeplift(['heads.onnx', ...sources, '--output', 'profile', '--out', 'profile.npy'])
    const sequence = { data: Uint8Array.from(RECORDS.flatMap((each) => [...each])), shape: [7, LENGTH] }
    const heads = await DeepLift.load(at('heads.onnx'))
    const { profile } = await heads.predict({ sequence, control })
    const found = await readNpy(at('profile.npy'))
    expect(found.shape).toEqual([7, 2, 32])
    expect(found.data).toEqual(profile!.data)
    const { stderr } = await deeplift(['heads.onnx', ...sources, '--out', 'two.npy'], 2)
    expect(stderr).toContain('counts, profile')
  })
})

describe('errors', () => {
  test.each([
    [['--fasta', 's.fa'], 2, 'predict: say where the outputs go'],
    [['--out', 'x.npz'], 2, 'predict: give the examples'],
    [['--fasta', 's.fa', '--out', 'x.npz', '--output', 'z'], 2, 'z'],
    [['--fasta', 'missing.fa', '--out', 'x.npz'], 3, 'missing.fa'],
    [['--bed', 'p.bed', '--out', 'x.npz'], 2, 'belong together'],
    [['--fasta', 's.fa', '--out', 'x.h5', '--format', 'h5'], 2, 'npz'],
  ])('%j leave no file', async (args, code, message) => {
    const { stderr } = await deeplift(['model.onnx', ...args], code as number)
    expect(stderr).toContain(message)
    expect((await readdir(folder)).filter((name) => name.startsWith('x.'))).toEqual([])
  })

  test('the schema is the published one', async () => {
    const command = createProgram().commands.find((each) => each.name() === 'predict')!
    await expect(`${JSON.stringify(parameterSchema(command), null, 2)}\n`).toMatchFileSnapshot(
      '../../schemas/predict.schema.json',
    )
  })
})
