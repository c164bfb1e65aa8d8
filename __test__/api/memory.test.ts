import { execFile } from 'node:child_process'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DeepLift } from '../../src/index.js'
import { expectError } from '../support/errors.js'
import { buildModel, node, tensor } from '../support/onnx-builder.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const dist = new URL('../../dist/index.js', import.meta.url).href

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'deeplift-memory-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A layer of `width` units behind as many inputs, weights as PyTorch writes them, and one output. */
function dense(width: number): Uint8Array {
  const noise = (n: number) => Float32Array.from({ length: n }, (_, i) => ((i * 7919) % 1009) / 1009 - 0.5)
  return buildModel({
    inputs: { x: ['n', width] },
    outputs: { y: ['n', 1] },
    nodes: [
      node('Gemm', ['x', 'w', 'b'], ['h'], { transB: 1 }),
      node('Relu', ['h'], ['a']),
      node('Gemm', ['a', 'v'], ['y']),
    ],
    initializers: [
      tensor('w', [width, width], noise(width * width)),
      tensor('b', [width], noise(width)),
      tensor('v', [width, 1], noise(width)),
    ],
  })
}

const options = { references: 'zeros', target: 0 } as const
const inputs = (width: number) => ({
  x: { data: Float32Array.from({ length: width }, (_, i) => Math.sin(i)), shape: [1, width] },
})

/** Bytes that a process needs at most to load and score it. What it inherits from this one does not count. */
async function peak(width: number): Promise<number> {
  const path = join(folder, `${width}.onnx`)
  writeFileSync(path, dense(width))
  const code = `
    import { readFileSync } from 'node:fs'
    import { DeepLift } from ${JSON.stringify(dist)}
    const model = await DeepLift.load(${JSON.stringify(path)}, { threads: 1 })
    const data = Float32Array.from({ length: ${width} }, (_, i) => Math.sin(i))
    await model.score({ x: { data, shape: [1, ${width}] } }, ${JSON.stringify(options)})
    console.log(/VmHWM:\\s*(\\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1])`
  const args = ['--input-type=module', '-e', code]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
  return Number(stdout) * 1024
}

test.skipIf(process.platform !== 'linux')('weights are in memory once, from loading to scoring', async () => {
  const weights = 4 * 4096 ** 2
  expect((await peak(4096)) - (await peak(16))).toBeLessThan(1.5 * weights)
})

test('a large model scores the same from its file and from its bytes, and the file may be moved', async () => {
  const path = join(folder, 'moved.onnx')
  const bytes = dense(600)
  writeFileSync(path, bytes)
  const [fromPath, fromBytes] = [await DeepLift.load(path), await DeepLift.load(bytes)]
  renameSync(path, `${path}.old`)
  const [a, b] = [await fromPath.score(inputs(600), options), await fromBytes.score(inputs(600), options)]
  expect(a.contributions.x).toEqual(b.contributions.x)
  expect(a.worstCompleteness).toBeLessThan(1e-5)
})

test('a file that was written to since it was loaded is not mixed with what is known of it', async () => {
  const path = join(folder, 'written.onnx')
  writeFileSync(path, dense(600))
  const model = await DeepLift.load(path)
  writeFileSync(path, dense(601))
  await expectError(() => model.score(inputs(600), options), 'INVALID_MODEL', 'written to')
})

test('a description packs nothing, and what passes have packed serves other plans', async () => {
  const model = await DeepLift.load(dense(64))
  const before = await model.describe(options)
  expect(before.packedBytes).toBe(0)
  expect(before.weightBytes).toBeGreaterThan(2 * 4 * 64 ** 2)
  await model.score(inputs(64), options)
  const after = await model.describe(options)
  expect(after).toEqual({ ...before, packedBytes: before.weightBytes })
  expect((await model.describe({ ...options, rule: 'gradient' })).packedBytes).toBe(before.weightBytes)
  expect((await model.describe({ ...options, precision: 'float64' })).packedBytes).toBe(0)
})

test('predicting packs the forward pass only', async () => {
  const model = await DeepLift.load(dense(64))
  const before = await model.describe(options)
  await model.predict(inputs(64))
  const { packedBytes, weightBytes } = await model.describe(options)
  expect(weightBytes).toBe(before.weightBytes)
  // Each layer is packed once for each direction.
  const layer = 4 * 64 ** 2
  expect(packedBytes).toBeGreaterThan(layer)
  expect(weightBytes - packedBytes).toBeGreaterThanOrEqual(layer)
})
