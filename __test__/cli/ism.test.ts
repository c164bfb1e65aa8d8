import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parameterSchema } from '../../src/cli/parameters.js'
import { createProgram } from '../../src/cli/program.js'
import { DeepLift, readNpy, readNpz, writeNpy } from '../../src/index.js'
import { runCli } from '../support/cli.js'
import { fastaOf } from '../support/genome.js'
import { profileModel, randomCodes, randomFloats, sequenceModel } from '../support/models.js'

const LENGTH = 40
const letters = (codes: Uint8Array) => Array.from(codes, (code) => 'ACGT'[code]).join('')
const GENOME = letters(randomCodes(300, 1))
const RECORDS = Array.from({ length: 4 }, (_, index) => randomCodes(LENGTH, 20 + index))
const CODES = { data: Uint8Array.from(RECORDS.flatMap((each) => [...each])), shape: [4, LENGTH] }

let folder: string
let model: DeepLift
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-ism-'))
  await writeFile(at('model.onnx'), sequenceModel(LENGTH))
  await writeFile(at('heads.onnx'), profileModel(LENGTH))
  await writeFile(
    at('s.fa'),
    fastaOf(Object.fromEntries(RECORDS.map((codes, i) => [`s${i}`, letters(codes)])), 60),
  )
  await writeFile(at('g.fa'), fastaOf({ chr1: GENOME }, 60))
  await writeFile(at('p.bed'), 'chr1\t100\t140\nchr1\t3\t7\n')
  model = await DeepLift.load(at('model.onnx'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

const at = (name: string) => join(folder, name)

async function deeplift(args: string[], code = 0) {
  const finished = await runCli(['ism', ...args, '--threads', '2'], { cwd: folder })
  expect(finished.code, finished.stderr).toBe(code)
  return finished
}

describe('files', () => {
  test('.npz of sequences', async () => {
    const sources = ['model.onnx', '--fasta', 's.fa', '--target', '1', '--window', '4:30']
    const { stdout } = await deeplift([...sources, '--out', 'a.npz', '--json'])
    const { effects, output, sequences, names, provenance } = await readNpz(at('a.npz'))
    const expected = await model.mutagenesis({ x: CODES }, { target: 1, window: [4, 30] })
    expect(effects!.shape).toEqual([4, 4, 26])
    expect(effects!.data).toEqual(expected.effects.data)
    expect(output!.data).toEqual(expected.output.data)
    expect(sequences!.data).toEqual(CODES.data)
    expect(names!.data).toEqual(['s0', 's1', 's2', 's3'])
    expect(JSON.parse((provenance!.data as string[])[0]!)).toMatchObject({ mutated: { window: [4, 30] } })
    expect(JSON.parse(stdout)).toMatchObject({ examples: 4, files: ['a.npz'] })
    await deeplift(['--params', 'a.params.json', '--out', 'b.npz', '--batch', '3'])
    expect(await readFile(at('b.npz'))).toEqual(await readFile(at('a.npz')))
  })

  test('of regions, and .npy', async () => {
    await deeplift(['model.onnx', '--bed', 'p.bed', '--genome', 'g.fa', '--target', '0', '--out', 'r.npy'])
    const data = Uint8Array.from(GENOME.slice(100, 140), (letter) => 'ACGT'.indexOf(letter))
    const { effects } = await model.mutagenesis({ x: { data, shape: [1, LENGTH] } }, { target: 0 })
    const found = await readNpy(at('r.npy'))
    expect(found.shape).toEqual([1, 4, LENGTH])
    expect(found.data).toEqual(effects.data)
    expect(await readFile(at('r.regions.bed'), 'utf8')).toBe('chr1\t100\t140\n')
    expect(JSON.parse(await readFile(at('r.npy.json'), 'utf8'))).toMatchObject({
      policies: { length: LENGTH },
    })
  })

  test('of several inputs, with heads', async () => {
    const control = { data: randomFloats(4 * 2 * 32, 3), shape: [4, 2, 32] }
    await writeNpy(at('control.npy'), { dtype: 'float32', ...control })
    const heads = ['--head', 'counts', '--head', 'profile']
    await deeplift([
      'heads.onnx',
      '--fasta',
      's.fa',
      '--input',
      'control=control.npy',
      ...heads,
      '--out',
      'h.npz',
    ])
    const { effects, sequences } = await readNpz(at('h.npz'))
    const own = await DeepLift.load(at('heads.onnx'))
    const target = [{ head: 'counts' as const }, { head: 'profile' as const }]
    const expected = await own.mutagenesis({ sequence: CODES, control }, { target })
    expect(effects!.shape).toEqual([4, 2, 4, LENGTH])
    expect(effects!.data).toEqual(expected.effects.data)
    expect(sequences!.data).toEqual(CODES.data)
  })
})

describe('errors', () => {
  test.each([
    [['--fasta', 's.fa', '--target', '0'], 2, 'ism: say where the effects go'],
    [['--fasta', 's.fa', '--out', 'x.npz'], 2, 'y'],
    [['--fasta', 's.fa', '--target', '0', '--window', '3', '--out', 'x.npz'], 2, '--window'],
    [['--fasta', 's.fa', '--target', '0', '--window', '3:90', '--out', 'x.npz'], 2, '90'],
    [['--out', 'x.npz', '--target', '0'], 2, 'ism: give the examples'],
  ])('%j leave no file', async (args, code, message) => {
    const { stderr } = await deeplift(['model.onnx', ...args], code as number)
    expect(stderr).toContain(message)
    expect((await readdir(folder)).filter((name) => name.startsWith('x.'))).toEqual([])
  })

  test('the schema is the published one', async () => {
    const command = createProgram().commands.find((each) => each.name() === 'ism')!
    await expect(`${JSON.stringify(parameterSchema(command), null, 2)}\n`).toMatchFileSnapshot(
      '../../schemas/ism.schema.json',
    )
  })
})
