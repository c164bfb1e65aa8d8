import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readOnnx } from '../../src/onnx/read.js'
import type { WireTensor } from '../../src/onnx/wire.js'
import { expectError } from '../support/errors.js'
import { buildModel, DType, externalTensor, node, tensor } from '../support/onnx-builder.js'

/** The model lies in `home`; `outside` is what it must not reach. */
let root: string
let home: string
let outside: string
let path: string

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'deeplift-external-')))
  home = join(root, 'home')
  outside = join(root, 'outside')
  mkdirSync(home)
  mkdirSync(outside)
  path = join(home, 'model.onnx')
  writeFileSync(join(home, 'model.onnx.data'), weights)
  writeFileSync(join(outside, 'secret'), weights)
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

/** Sixteen floats, 0 to 15. */
const weights = new Uint8Array(Float32Array.from({ length: 16 }, (_, i) => i).buffer)

function bytes(...initializers: ReturnType<typeof tensor>[]): Uint8Array {
  return buildModel({
    inputs: { x: [1] },
    outputs: { y: [1] },
    nodes: [node('Op', ['x', 'w'], ['y'])],
    initializers,
  })
}

async function read(...initializers: ReturnType<typeof tensor>[]) {
  writeFileSync(path, bytes(...initializers))
  const model = await readOnnx(path)
  return model.initializers.map(({ data }) => Array.from(new Float32Array(Uint8Array.from(data).buffer)))
}

const at = (location: string) => externalTensor('w', [4], { location, offset: 16, length: 16 })
const canLink = process.platform !== 'win32'

describe('reads', () => {
  test('the place of large values, and which file that is', async () => {
    const large = new Uint8Array(2 ** 20 + 16)
    writeFileSync(join(home, 'large.data'), large)
    writeFileSync(path, bytes(externalTensor('w', [2 ** 18], { location: 'large.data', offset: 16 })))
    const [{ stored, data }] = (await readOnnx(path)).initializers as [WireTensor]
    const { dev, ino } = statSync(join(home, 'large.data'), { bigint: true })
    expect(stored).toEqual({ path: join(home, 'large.data'), offset: 16, identity: `${dev}:${ino}` })
    expect(data).toHaveLength(0)
  })

  test('ranges in any order, mixed with embedded tensors', async () => {
    const values = await read(
      externalTensor('late', [2, 1], { location: 'model.onnx.data', offset: 56, length: 8 }),
      tensor('embedded', [1], [7]),
      externalTensor('early', [3], { location: 'model.onnx.data', offset: 0, length: 12 }),
    )
    expect(values).toEqual([[14, 15], [7], [0, 1, 2]])
  })

  test('without offset from the start, without length as many bytes as the shape needs', async () => {
    expect(await read(externalTensor('w', [2], { location: 'model.onnx.data' }))).toEqual([[0, 1]])
  })

  test('a tensor without elements', async () => {
    expect(
      await read(externalTensor('w', [0], { location: 'model.onnx.data', offset: 64, length: 0 })),
    ).toEqual([[]])
  })

  test('a tensor attribute', async () => {
    const value = externalTensor('t', [1], { location: 'model.onnx.data', offset: 12, length: 4 })
    const spec = { inputs: {}, outputs: { y: [1] }, nodes: [node('Constant', [], ['y'], { value })] }
    writeFileSync(path, buildModel(spec))
    const { nodes } = await readOnnx(path)
    expect(Array.from(nodes[0]!.attributes[0]!.tensor!.data)).toEqual(Array.from(weights.subarray(12, 16)))
  })

  test('files in folders below the model, and several files', async () => {
    mkdirSync(join(home, 'parts', 'a'), { recursive: true })
    writeFileSync(join(home, 'parts', 'a', '0.bin'), weights.subarray(32))
    const values = await read(
      externalTensor('v', [1], { location: './parts/a/0.bin' }),
      externalTensor('w', [1], { location: 'model.onnx.data', offset: 4 }),
    )
    expect(values).toEqual([[8], [1]])
  })

  test('tensors that share one range share one array', async () => {
    const entries = { location: 'model.onnx.data', offset: 0, length: 64 }
    writeFileSync(path, bytes(externalTensor('v', [16], entries), externalTensor('w', [4, 4], entries)))
    const { initializers } = await readOnnx(path)
    expect(initializers[0]!.data).toBe(initializers[1]!.data)
  })

  test('other tensors in arrays of their own', async () => {
    const half = (name: string, offset: number) =>
      externalTensor(name, [8], { location: 'model.onnx.data', offset })
    writeFileSync(path, bytes(half('v', 0), half('w', 32)))
    const { initializers } = await readOnnx(path)
    expect(initializers[0]!.data.buffer).not.toBe(initializers[1]!.data.buffer)
    expect(initializers[0]!.data.buffer.byteLength).toBe(32)
  })

  test.runIf(canLink)('a symbolic link that stays in the folder', async () => {
    symlinkSync('model.onnx.data', join(home, 'alias'))
    expect(await read(at('alias'))).toEqual([[4, 5, 6, 7]])
  })

  test.runIf(canLink)('a model whose folder is itself reached by a symbolic link', async () => {
    await read(at('model.onnx.data'))
    symlinkSync(home, join(root, 'shortcut'))
    const { initializers } = await readOnnx(join(root, 'shortcut', 'model.onnx'))
    expect(initializers[0]!.data).toHaveLength(16)
  })
})

describe('refuses to leave the folder', () => {
  test.each([
    ['an absolute path', () => join(outside, 'secret'), /absolute path/],
    ['a parent', () => '../outside/secret', /contains "\.\."/],
    ['a parent further down', () => 'parts/../../outside/secret', /contains "\.\."/],
    ['a parent that would come back', () => '../home/model.onnx.data', /contains "\.\."/],
    ['backslashes', () => '..\\outside\\secret', /backslash/],
    ['a drive', () => 'C:/secret', /colon/],
    ['a drive-relative path', () => 'C:secret', /colon/],
    ['an alternate data stream', () => 'model.onnx.data:hidden', /colon/],
    ['a NUL character', () => 'model.onnx.data\0.png', /NUL/],
    ['no name', () => '', /empty/],
  ])('%s', async (_, location, pattern) => {
    const error = await expectError(() => read(at(location())), 'EXTERNAL_DATA', /initialiser "w"/, pattern)
    expect(error.details).toMatchObject({ source: path, tensor: 'w' })
  })

  test.runIf(canLink)('a symbolic link to a file outside', async () => {
    symlinkSync(join(outside, 'secret'), join(home, 'link'))
    await expectError(
      () => read(at('link')),
      'EXTERNAL_DATA',
      /symbolic link that leads out/,
      /copy the file/,
    )
  })

  test.runIf(canLink)('a relative symbolic link to a file outside', async () => {
    symlinkSync('../outside/secret', join(home, 'link'))
    await expectError(() => read(at('link')), 'EXTERNAL_DATA', /symbolic link that leads out/)
  })

  test.runIf(canLink)('a symbolic link to a folder outside', async () => {
    symlinkSync(outside, join(home, 'parts'))
    await expectError(() => read(at('parts/secret')), 'EXTERNAL_DATA', /symbolic link that leads out/)
  })

  test.runIf(canLink)('a sibling folder whose name begins like the model folder', async () => {
    mkdirSync(join(root, 'home2'))
    writeFileSync(join(root, 'home2', 'secret'), weights)
    symlinkSync(join(root, 'home2', 'secret'), join(home, 'link'))
    await expectError(() => read(at('link')), 'EXTERNAL_DATA', /symbolic link that leads out/)
  })

  test('a hard link', async () => {
    linkSync(join(outside, 'secret'), join(home, 'link'))
    await expectError(() => read(at('link')), 'EXTERNAL_DATA', /2 hard links/, /copy of its own/)
  })
})

describe('refuses', () => {
  test('bytes without a path', async () => {
    const run = () => readOnnx(bytes(at('model.onnx.data')))
    await expectError(run, 'EXTERNAL_DATA', /"w"/, /"model.onnx.data"/, /pass the path/)
  })

  test('a missing file, saying where to put it', async () => {
    const error = await expectError(
      () => read(at('gone.data')),
      'EXTERNAL_DATA',
      /"w" is stored in "gone.data"/,
      home,
      /put it beside the model/,
    )
    expect(error.details).toMatchObject({ file: 'gone.data', tensor: 'w' })
    expect(error.cause).toMatchObject({ code: 'ENOENT' })
  })

  test('a file where a folder was named', async () => {
    await expectError(() => read(at('model.onnx.data/part')), 'EXTERNAL_DATA', /put it beside/)
  })

  test('a folder', async () => {
    mkdirSync(join(home, 'folder'))
    await expectError(() => read(at('folder')), 'EXTERNAL_DATA', /not a regular file/)
  })

  test('a truncated file', async () => {
    truncateSync(join(home, 'model.onnx.data'), 20)
    await expectError(
      () => read(at('model.onnx.data')),
      'EXTERNAL_DATA',
      /bytes 16 to 32.*has 20 bytes.*truncated/,
    )
  })

  test('overlapping ranges that add up to more than the file', async () => {
    const many = Array.from({ length: 6 }, (_, i) =>
      externalTensor(`w${i}`, [11], { location: 'model.onnx.data', offset: 4 * i }),
    )
    await expectError(() => read(...many), 'EXTERNAL_DATA', /overlap/)
  })

  test.each([
    ['offset', '-1'],
    ['offset', '1.5'],
    ['offset', '0x10'],
    ['offset', ' 4'],
    ['offset', ''],
    ['offset', '1e1'],
    ['offset', '9007199254740993'],
    ['offset', '99999999999999999999'],
    ['length', '-16'],
    ['length', 'NaN'],
  ])('%s %j', async (key, text) => {
    const run = () => read(externalTensor('w', [4], { location: 'model.onnx.data', [key]: text }))
    await expectError(run, 'EXTERNAL_DATA', `${key} ${JSON.stringify(text)}`, /non-negative integer/)
  })

  test('an offset whose end is beyond exact numbers', async () => {
    const run = () =>
      read(externalTensor('w', [4], { location: 'model.onnx.data', offset: '9007199254740991' }))
    await expectError(run, 'EXTERNAL_DATA', /the file has 64 bytes/)
  })

  test('a length that is not that of the shape', async () => {
    const run = () => read(externalTensor('w', [4], { location: 'model.onnx.data', length: 20 }))
    await expectError(run, 'EXTERNAL_DATA', /length 20.*need 16 bytes/)
  })

  test('no location, and two', async () => {
    await expectError(() => read(externalTensor('w', [4], { offset: 0 })), 'EXTERNAL_DATA', /names no file/)
    const twice = {
      ...at('model.onnx.data'),
      externalData: [
        { key: 'location', value: 'model.onnx.data' },
        { key: 'location', value: '../outside/secret' },
      ],
    }
    await expectError(() => read(twice), 'EXTERNAL_DATA', /"location" twice/)
  })

  test('a shape no file can hold, before anything is allocated', async () => {
    const run = () => read(externalTensor('w', [2 ** 45], { location: 'model.onnx.data' }, DType.DOUBLE))
    await expectError(run, 'EXTERNAL_DATA', /the file has 64 bytes/)
  })
})
