import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as h5wasm from 'h5wasm/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chunkTree } from '../../src/io/hdf5-objects.js'
import { Hdf5File } from '../../src/io/hdf5-read.js'
import { Hdf5Writer } from '../../src/io/hdf5-write.js'
import { lookup3 } from '../../src/io/lookup3.js'
import { expectError } from '../support/errors.js'
import { randomCodes, randomFloats } from '../support/models.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-hdf5-'))
  await h5wasm.ready
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})
const at = (name: string) => join(folder, name)

function read(name: string, path: string): { values: unknown; shape: number[]; dtype: unknown } {
  const file = new h5wasm.File(at(name), 'r')
  try {
    const dataset = file.get(path) as h5wasm.Dataset
    return { values: dataset.value, shape: dataset.shape!, dtype: dataset.dtype }
  } finally {
    file.close()
  }
}

test('lookup3 has the values that its author gives', () => {
  expect(lookup3(Buffer.from(''))).toBe(0xdeadbeef)
  expect(lookup3(Buffer.from(''), 0xdeadbeef)).toBe(0xbd5b7dde)
  expect(lookup3(Buffer.from('Four score and seven years ago'))).toBe(0x17770551)
  expect(lookup3(Buffer.from('Four score and seven years ago'), 1)).toBe(0xcd628161)
})

describe('a file', () => {
  const values = randomFloats(7 * 6, 3)
  const write = async (name: string, pieces: readonly number[], deflateLevel?: number) => {
    const writer = await Hdf5Writer.create(
      at(name),
      [
        { path: 'group/floats', dtype: 'float32', rowShape: [2, 3] },
        { path: 'doubles', dtype: 'float64', rowShape: [] },
        { path: 'whole', dtype: 'int32', rowShape: [] },
        { path: 'group/bytes', dtype: 'int8', rowShape: [2] },
        { path: 'bytes', dtype: 'uint8', rowShape: [1] },
      ],
      { attributes: { provenance: '{"µ":1}', empty: '' }, ...(deflateLevel && { deflateLevel }) },
    )
    let row = 0
    for (const rows of pieces) {
      await writer.append('group/floats', values.subarray(row * 6, (row + rows) * 6))
      const numbers = Array.from({ length: rows }, (_, index) => row + index)
      await writer.append(
        'doubles',
        Float64Array.from(numbers, (each) => each / 3),
      )
      await writer.append(
        'whole',
        Int32Array.from(numbers, (each) => -each),
      )
      await writer.append(
        'group/bytes',
        Int8Array.from(
          [...numbers, ...numbers].sort((a, b) => a - b),
          (each) => -each,
        ),
      )
      await writer.append(
        'bytes',
        Uint8Array.from(numbers, (each) => 250 + (each % 5)),
      )
      row += rows
    }
    await writer.putStrings('names', ['a', 'longer', 'ü'])
    await writer.finish()
  }

  test.each([undefined, 1, 9])('is read back by the HDF5 library, deflated %s', async (level) => {
    await write('a.h5', [7], level)
    expect(read('a.h5', 'group/floats')).toEqual({ values, shape: [7, 2, 3], dtype: '<f' })
    expect(read('a.h5', 'doubles').values).toEqual(Float64Array.from({ length: 7 }, (_, each) => each / 3))
    expect(read('a.h5', 'whole').values).toEqual(Int32Array.from({ length: 7 }, (_, each) => -each))
    expect(read('a.h5', 'group/bytes').shape).toEqual([7, 2])
    expect(Array.from(read('a.h5', 'bytes').values as Uint8Array)).toEqual([
      250, 251, 252, 253, 254, 250, 251,
    ])
    expect(read('a.h5', 'names').values).toEqual(['a', 'longer', 'ü'])
    const file = new h5wasm.File(at('a.h5'), 'r')
    expect(file.attrs.provenance!.value).toBe('{"µ":1}')
    expect(file.attrs.empty!.value).toBe('')
    file.close()
  })

  test.each([undefined, 4])('has the same bytes however its rows come, deflated %s', async (level) => {
    await write('one.h5', [7], level)
    await write('several.h5', [1, 0, 4, 2], level)
    expect((await readFile(at('several.h5'))).equals(await readFile(at('one.h5')))).toBe(true)
  })

  test.each([undefined, 1])(
    'of many chunks, from arrays that are used again at once, deflated %s',
    async (deflateLevel) => {
      const [rows, perRow] = [40, 100_003]
      const codes = randomCodes(rows * perRow, 5).map((code) => 60 * code)
      const writer = await Hdf5Writer.create(
        at('many.h5'),
        [{ path: 'codes', dtype: 'uint8', rowShape: [perRow] }],
        { ...(deflateLevel && { deflateLevel }) },
      )
      const lent = new Uint8Array(13 * perRow)
      for (let row = 0, count = 0; row < rows; row += count) {
        // Less than a chunk, several chunks, and what is left.
        count = Math.min(rows - row, row === 0 ? 2 : 13)
        lent.set(codes.subarray(row * perRow, (row + count) * perRow))
        await writer.append('codes', lent.subarray(0, count * perRow))
        lent.fill(0)
      }
      await writer.finish()
      const file = await Hdf5File.open(at('many.h5'))
      const found = file.readRows('codes', 3, rows) as Uint8Array
      file.close()
      expect(Buffer.compare(found, codes.subarray(3 * perRow))).toBe(0)
    },
  )

  test('of no rows is one', async () => {
    await write('none.h5', [])
    expect(read('none.h5', 'group/floats').shape).toEqual([0, 2, 3])
  })

  test('of more chunks than a node of its index holds is read in any order', async () => {
    // A row fills a chunk.
    const width = 1 << 19
    const writer = await Hdf5Writer.create(at('many.h5'), [{ path: 'x', dtype: 'int8', rowShape: [width] }], {
      deflateLevel: 1,
    })
    for (let row = 0; row < 130; row++) await writer.append('x', new Int8Array(width).fill(row - 60))
    await writer.finish()
    const file = new h5wasm.File(at('many.h5'), 'r')
    const dataset = file.get('x') as h5wasm.Dataset
    for (const row of [129, 0, 63, 64, 127, 128])
      expect(
        Array.from(
          dataset.slice([
            [row, row + 1],
            [width - 1, width],
          ]) as Int8Array,
        ),
        `row ${row}`,
      ).toEqual([row - 60])
    file.close()
  })

  test('that is aborted, or refused, leaves nothing', async () => {
    const before = await readdir(folder)
    const writer = await Hdf5Writer.create(at('b.h5'), [{ path: 'x', dtype: 'float32', rowShape: [3] }])
    await expectError(() => writer.append('x', new Float32Array(4)), 'INVALID_INPUT', 'not whole rows')
    await expectError(() => writer.append('y', new Float32Array(3)), 'INVALID_OPTION', 'no growing dataset y')
    await writer.abort()
    await writer.abort()
    const text = 'x'.repeat(70_000)
    const large = () => Hdf5Writer.create(at('b.h5'), [], { attributes: { text } })
    await expectError(large, 'INVALID_OPTION', '70000 bytes')
    expect(await readdir(folder)).toEqual(before)
  })
})

describe('a file is read', () => {
  test('by rows, with halves as the floats that they are', async () => {
    const values = Float32Array.of(1, -2, 0.5, 65504, 2 ** -24, 0)
    const writer = await Hdf5Writer.create(at('h.h5'), [{ path: 'g/x', dtype: 'float16', rowShape: [2] }])
    await writer.append('g/x', values)
    await writer.putStrings('names', ['a', 'b'])
    await writer.finish()
    const file = await Hdf5File.open(at('h.h5'))
    expect(file.shapeOf('g/x')).toEqual([3, 2])
    expect(file.shapeOf('g/y')).toBeUndefined()
    expect(file.shapeOf('no/x')).toBeUndefined()
    expect(file.readRows('g/x', 1, 3)).toEqual(values.subarray(2))
    expect(file.readStrings('names')).toEqual(['a', 'b'])
    await expectError(() => file.readRows('names', 0, 1), 'FILE_FORMAT', 'names has a type')
    await expectError(() => file.readStrings('g/x'), 'FILE_FORMAT', 'texts')
    file.close()
  })

  test('unless it is none, or damaged', async () => {
    await writeFile(at('text.h5'), 'not HDF5')
    await expectError(() => Hdf5File.open(at('text.h5')), 'FILE_FORMAT', 'text.h5')
    await expectError(() => Hdf5File.open(at('missing.h5')), 'FILE_NOT_FOUND')
    const writer = await Hdf5Writer.create(at('d.h5'), [{ path: 'x', dtype: 'int8', rowShape: [9] }], {
      deflateLevel: 1,
    })
    await writer.append('x', new Int8Array(9).fill(3))
    await writer.finish()
    const bytes = await readFile(at('d.h5'))
    // The first bytes behind the superblock are the packed chunk.
    bytes.fill(255, 48, 52)
    await writeFile(at('d.h5'), bytes)
    const file = await Hdf5File.open(at('d.h5'))
    await expectError(() => file.readRows('x', 0, 1), 'FILE_FORMAT', 'damaged')
    file.close()
  })
})

test('an index of three levels leads to every chunk', () => {
  const address = 1000
  const chunks = Array.from({ length: 5000 }, (_, index) => ({
    row: 3 * index,
    address: 7 * index,
    bytes: index,
  }))
  const { bytes, root } = chunkTree(chunks, 15_000, 2, address)
  const keySize = 8 + 8 * 3
  const found: number[] = []
  const visit = (node: number, level: number) => {
    const at = node - address
    expect(bytes.toString('latin1', at, at + 4)).toBe('TREE')
    expect(bytes[at + 5]).toBe(level)
    for (let entry = 0; entry < bytes.readUInt16LE(at + 6); entry++) {
      const key = at + 24 + entry * (keySize + 8)
      const child = Number(bytes.readBigUInt64LE(key + keySize))
      const [from, to] = [key, key + keySize + 8].map((each) => Number(bytes.readBigUInt64LE(each + 8)))
      expect(to).toBeGreaterThan(from!)
      if (level > 0) visit(child, level - 1)
      else {
        expect(child).toBe((7 * from!) / 3)
        found.push(from!)
      }
    }
  }
  visit(root, 2)
  expect(found).toEqual(chunks.map(({ row }) => row))
})
