import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readOnnx } from '../../src/onnx/read.js'
import { expectError } from '../support/errors.js'
import { buildModel, node, tensor } from '../support/onnx-builder.js'

let folder: string
let path: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'deeplift-skeleton-'))
  path = join(folder, 'model.onnx')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Enough values to stay in the file, and a little more. */
const LARGE = 2 ** 18 + 7
const values = Float32Array.from({ length: LARGE }, (_, i) => i)
const small = tensor('small', [3], [1, 2, 3])
const model = (...initializers: Parameters<typeof buildModel>[0]['nodes']) =>
  buildModel({
    inputs: { x: [1] },
    outputs: { y: [1] },
    nodes: [node('Op', ['x', 'large', 'small'], ['y'], { alpha: 0.5 })],
    initializers,
  })

describe('values of large tensors', () => {
  test.each([
    ['first', [tensor('large', [LARGE], values), small]],
    ['last', [small, tensor('large', [LARGE], values)]],
    ['twice', [tensor('large', [LARGE], values), small, tensor('more', [1, LARGE], values)]],
  ])('stay in the file: %s', async (_, initializers) => {
    const bytes = model(...initializers)
    writeFileSync(path, bytes)
    const [fromPath, fromBytes] = [await readOnnx(path), await readOnnx(bytes)]
    expect({ ...fromPath, source: '', initializers: [] }).toEqual({
      ...fromBytes,
      source: '',
      initializers: [],
    })
    const file = readFileSync(path)
    expect(fromPath.initializers).toHaveLength(initializers.length)
    for (const [i, { data, stored, ...rest }] of fromPath.initializers.entries()) {
      const whole = fromBytes.initializers[i]!
      expect(rest).toEqual({ name: whole.name, dtype: whole.dtype, dims: whole.dims })
      expect(stored === undefined).toBe(whole.name === 'small')
      const found = stored ? file.subarray(stored.offset, stored.offset + whole.data.length) : data
      expect(Buffer.compare(found, whole.data)).toBe(0)
    }
  })

  test('must be as many as their shape says', async () => {
    writeFileSync(path, model(tensor('large', [LARGE + 1], values), small))
    await expectError(() => readOnnx(path), 'INVALID_MODEL', '"large"', `found ${4 * LARGE}`)
  })
})

describe('broken files say what the whole of them says', () => {
  const whole = model(tensor('large', [LARGE], values), small)
  test.each([
    ['cut in the values', whole.subarray(0, 2 ** 19)],
    ['cut behind them', whole.subarray(0, whole.length - 9)],
    ['nothing behind a tag', whole.map((byte, i) => (i < 2 ? byte : 0xff))],
  ])('%s', async (_, bytes) => {
    writeFileSync(path, bytes)
    const fromBytes = await expectError(() => readOnnx(bytes), 'INVALID_MODEL')
    await expectError(() => readOnnx(path), 'INVALID_MODEL', fromBytes.message.replace('<bytes>', path))
  })
})
