/** `score --format chrombpnet` and `--format bpnet`, read back by the HDF5 library and by h5py. */

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type NpyArray, readNpz } from '../../src/index.js'
import { float16ToFloat32, float32ToFloat16 } from '../../src/io/float16.js'
import { Hdf5File } from '../../src/io/hdf5-read.js'
import { runCli } from '../support/cli.js'
import { channelsLastModel, sequenceModel } from '../support/models.js'
import { missingPython, named, python } from '../support/python.js'

const noReaders = missingPython('readers')

const LENGTH = 40
const NAMES = ['one', 'two', 'three']
const SEQUENCES = ['ACGT', 'GATTACA', 'CCNGT'].map((unit) => unit.repeat(LENGTH).slice(0, LENGTH))

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-h5-'))
  await writeFile(at('first.onnx'), sequenceModel(LENGTH))
  await writeFile(at('last.onnx'), channelsLastModel(LENGTH))
  await writeFile(at('s.fa'), SEQUENCES.map((letters, index) => `>${NAMES[index]}\n${letters}\n`).join(''))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})
const at = (name: string) => join(folder, name)

async function score(model: string, out: string, args: readonly string[]) {
  const basic = ['--fasta', at('s.fa'), '--target', '1', '--reference', 'dinuc-shuffle:3']
  return await runCli(['score', at(model), ...basic, '--out', at(out), ...args])
}

async function succeed(model: string, out: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await score(model, out, args)
  expect(code, stderr).toBe(0)
}

async function datasets(name: string, paths: readonly string[]) {
  const file = await Hdf5File.open(at(name))
  try {
    return paths.map((path) => {
      const shape = file.shapeOf(path)!
      return { shape, values: file.readRows(path, 0, shape[0]!) }
    })
  } finally {
    file.close()
  }
}

/** `[n, 4, length]`, zeros at unknown bases. */
const oneHot = SEQUENCES.flatMap((letters) =>
  [...'ACGT'].flatMap((base) => [...letters].map((letter) => Number(letter === base))),
)

describe('the layout of ChromBPNet', () => {
  test.each([
    ['first.onnx', []],
    ['last.onnx', []],
    ['first.onnx', ['--compress']],
  ])('holds what the .npz holds, for %s %s', async (model, options) => {
    await succeed('first.onnx', 's.npz', ['--hypothetical'])
    await succeed(model, 's.h5', ['--format', 'chrombpnet', ...options])
    const { hypothetical } = (await readNpz(at('s.npz'))) as { hypothetical: NpyArray }
    const scores = hypothetical.data as Float32Array
    const [raw, shap, projected] = await datasets('s.h5', ['raw/seq', 'shap/seq', 'projected_shap/seq'])
    for (const { shape } of [raw!, shap!, projected!]) expect(shape).toEqual([3, 4, LENGTH])
    expect(Array.from(raw!.values)).toEqual(oneHot)
    const largest = Math.max(...scores.map(Math.abs))
    for (const [index, value] of scores.entries()) {
      expect(Math.abs(shap!.values[index]! - value)).toBeLessThan(1e-6 * largest)
      expect(projected!.values[index]).toBe(oneHot[index] === 1 ? shap!.values[index] : 0)
    }
  })

  test('in half precision holds the nearest halves', async () => {
    await succeed('first.onnx', 'single.h5', ['--format', 'chrombpnet'])
    await succeed('first.onnx', 'half.h5', ['--format', 'chrombpnet', '--float16'])
    const [single] = await datasets('single.h5', ['shap/seq'])
    const [half] = await datasets('half.h5', ['shap/seq'])
    const rounded = float16ToFloat32(float32ToFloat16(Float32Array.from(single!.values)))
    expect(Array.from(half!.values)).toEqual(Array.from(rounded))
  })

  test('is the same file for any batch and number of threads', async () => {
    await succeed('first.onnx', 'one.h5', ['--format', 'chrombpnet', '--batch', '1', '--threads', '1'])
    await succeed('first.onnx', 'all.h5', ['--format', 'chrombpnet', '--batch', '3', '--threads', '2'])
    expect((await readFile(at('one.h5'))).equals(await readFile(at('all.h5')))).toBe(true)
  })

  test('tells how its scores were made', async () => {
    await succeed('first.onnx', 's.h5', ['--format', 'chrombpnet', '--seed', '7'])
    const file = await Hdf5File.open(at('s.h5'))
    const provenance = JSON.parse(file.attribute('provenance')!)
    file.close()
    expect(provenance).toMatchObject({ program: 'deeplift', seed: '7', references: ['dinuc-shuffle:3'] })
    expect(provenance.modelSha256).toMatch(/^[0-9a-f]{64}$/)
    await succeed('first.onnx', 'p.npz', ['--seed', '7', '--hypothetical'])
    const archive = await readNpz(at('p.npz'), ['provenance'])
    expect(JSON.parse((archive.provenance!.data as string[])[0]!)).toEqual(provenance)
  })

  const PROGRAM = `
import h5py, json, sys
with h5py.File(sys.argv[1]) as f:
    print(json.dumps({
        "dtypes": [f[k].dtype.str for k in ("raw/seq", "shap/seq", "projected_shap/seq")],
        "scores": f["shap/seq"][:].astype("f4").ravel().tolist(),
        "middle": f["shap/seq"][1:2, 2, 5:9].astype("f4").ravel().tolist(),
        "program": json.loads(f.attrs["provenance"])["program"]}))
`
  test.skipIf(noReaders)(named('is read by h5py', noReaders), async () => {
    await succeed('first.onnx', 'py.h5', ['--format', 'chrombpnet', '--float16', '--compress'])
    const [shap] = await datasets('py.h5', ['shap/seq'])
    const scores = Array.from(shap!.values)
    const start = (4 + 2) * LENGTH + 5
    expect(python('readers', PROGRAM, [at('py.h5')])).toEqual({
      dtypes: ['|i1', '<f2', '<f2'],
      scores,
      middle: scores.slice(start, start + 4),
      program: 'deeplift',
    })
  })
})

test.each([
  [['--format', 'bpnet'], 2, '--bed'],
  [[], 2, '--format chrombpnet or --format bpnet'],
])('%s is refused and leaves no file', async (options, code, message) => {
  const before = await readdir(folder)
  const finished = await score('first.onnx', 'refused.h5', options)
  expect(finished.code).toBe(code)
  expect(finished.stderr).toContain(message)
  expect(await readdir(folder)).toEqual(before)
})
