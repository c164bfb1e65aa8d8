/** Models of sequences whose alphabet is not A, C, G, T: their values come as arrays. */

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type NpyArray, readNpz, writeNpy } from '../../src/index.js'
import { runCli } from '../support/cli.js'
import { randomFloats } from '../support/models.js'
import { buildModel, node, tensor } from '../support/onnx-builder.js'

const LENGTH = 12
/** Amino acids, and methylated cytosine beside the four bases. */
const ALPHABETS = [20, 5]
const N = 3

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-alphabets-'))
  for (const letters of ALPHABETS) {
    await writeFile(at(`${letters}.onnx`), model(letters))
    const data = new Float32Array(N * letters * LENGTH)
    for (let index = 0; index < N * LENGTH; index++) {
      const [row, position] = [Math.floor(index / LENGTH), index % LENGTH]
      data[(row * letters + ((index * 7) % letters)) * LENGTH + position] = 1
    }
    await writeNpy(at(`${letters}.npy`), { dtype: 'float32', shape: [N, letters, LENGTH], data })
  }
  await writeFile(at('s.fa'), `>one\n${'ACGT'.repeat(LENGTH / 4)}\n`)
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})
const at = (name: string) => join(folder, name)

function model(letters: number): Uint8Array {
  return buildModel({
    inputs: { sequence: ['n', letters, LENGTH] },
    outputs: { y: ['n', 2] },
    nodes: [
      node('Conv', ['sequence', 'w', 'b'], ['c'], { kernel_shape: [3] }),
      node('Relu', ['c'], ['h']),
      node('GlobalAveragePool', ['h'], ['a']),
      node('Flatten', ['a'], ['f']),
      node('Gemm', ['f', 'v'], ['y']),
    ],
    initializers: [
      tensor('w', [6, letters, 3], randomFloats(18 * letters, 1)),
      tensor('b', [6], randomFloats(6, 2)),
      tensor('v', [6, 2], randomFloats(12, 3)),
    ],
  })
}

const score = async (letters: number, source: string[], out: string, ...more: string[]) =>
  await runCli([
    ...['score', at(`${letters}.onnx`), ...source, '--target', '1', '--reference', 'zeros'],
    ...['--out', at(out), ...more],
  ])

test.each(ALPHABETS)('of %i letters are scored, and each letter keeps its row', async (letters) => {
  const { code, stderr } = await score(letters, ['--input', at(`${letters}.npy`)], `${letters}.npz`)
  expect(code, stderr).toBe(0)
  const { contributions, delta } = (await readNpz(at(`${letters}.npz`))) as Record<string, NpyArray>
  expect(contributions!.shape).toEqual([N, letters, LENGTH])
  const values = contributions!.data as Float32Array
  const size = letters * LENGTH
  for (let row = 0; row < N; row++) {
    const sum = values.subarray(row * size, (row + 1) * size).reduce((total, value) => total + value, 0)
    expect(sum).toBeCloseTo(Number(delta!.data[row]), 5)
  }
})

test.each([
  [['--fasta', 's.fa'], [], 'no axis of 4'],
  [['--input', '20.npy'], ['--format', 'chrombpnet'], 'an axis of 4 letters'],
])('letters of DNA, and formats of them, are refused: %s %s', async ([option, file], format, message) => {
  const before = await readdir(folder)
  const { code, stderr } = await score(20, [option!, at(file!)], 'x', ...format)
  expect(code).not.toBe(0)
  expect(stderr).toContain(message)
  expect(await readdir(folder)).toEqual(before)
})
