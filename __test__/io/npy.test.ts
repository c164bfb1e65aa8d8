import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DeepLiftError } from '../../src/errors.js'
import { NpyFile, readNpy } from '../../src/io/npy-read.js'
import { NpyWriter, writeNpy } from '../../src/io/npy-write.js'

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}.npy`, import.meta.url))

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-npy-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

async function failure(work: Promise<unknown>): Promise<DeepLiftError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(DeepLiftError)
  return error as DeepLiftError
}

const SHAPE = [2, 3, 4]
const COUNT = Array.from({ length: 24 }, (_, index) => index)

describe('reading what NumPy wrote', () => {
  it.each([
    ['f2', 'float16', Float32Array.from(COUNT)],
    ['f4', 'float32', Float32Array.from(COUNT)],
    ['f8', 'float64', Float64Array.from(COUNT)],
    ['i1', 'int8', Int8Array.from(COUNT)],
    ['i4', 'int32', Int32Array.from(COUNT)],
    ['i8', 'int64', BigInt64Array.from(COUNT.map(BigInt))],
    ['u1', 'uint8', Uint8Array.from(COUNT)],
    ['b1', 'bool', Uint8Array.from(COUNT, (value) => value % 2)],
    ['U', 'string', COUNT.map(String)],
    ['fortran_f4', 'float32', Float32Array.from(COUNT)],
    ['version2_f4', 'float32', Float32Array.from(COUNT)],
    ['version3_f4', 'float32', Float32Array.from(COUNT)],
  ])('%s, whole and by rows', async (name, dtype, data) => {
    expect(await readNpy(fixture(name))).toEqual({ dtype, shape: SHAPE, data })
    const file = await NpyFile.open(fixture(name))
    expect([file.dtype, file.shape]).toEqual([dtype, SHAPE])
    expect(await file.readRows(0, 2)).toEqual(data)
    expect(await file.readRows(1, 2)).toEqual(data.slice(12))
    expect(await file.readRows(0, 1)).toEqual(data.slice(0, 12))
    expect(await file.readRows(1, 1)).toEqual(data.slice(0, 0))
    expect((await failure(file.readRows(1, 3))).code).toBe('INVALID_OPTION')
    await file.close()
  })

  it('scalars, vectors, no rows, and text beyond ASCII', async () => {
    expect(await readNpy(fixture('scalar_f8'))).toEqual({
      dtype: 'float64',
      shape: [],
      data: Float64Array.of(2.5),
    })
    expect(await readNpy(fixture('vector_f4'))).toMatchObject({
      shape: [5],
      data: Float32Array.of(0, 1, 2, 3, 4),
    })
    expect(await readNpy(fixture('no_rows_f4'))).toMatchObject({ shape: [0, 4], data: new Float32Array() })
    const { data } = await readNpy(fixture('unicode'))
    expect(data).toEqual(['chr1:5-9', '', 'β🧬', 'x'.repeat(20)])
  })

  it.each([
    ['refused_big_endian', `its dtype is ">f4"`],
    ['refused_complex', `its dtype is "<c8"`],
    ['refused_object', 'Python objects are never unpickled'],
    ['refused_structured', 'structured dtype'],
  ])('%s', async (name, message) => {
    const error = await failure(readNpy(fixture(name)))
    expect(error.code).toBe('FILE_FORMAT')
    expect(error.message).toContain(message)
    expect(error.message).toContain(fixture(name))
  })
})

describe('untrusted files', () => {
  const header = (text: string, data = 0) => {
    const bytes = Buffer.alloc(10 + text.length + data)
    bytes.write('\x93NUMPY\x01\x00', 'latin1')
    bytes.writeUInt16LE(text.length, 8)
    bytes.write(text, 10, 'latin1')
    return bytes
  }
  const read = async (bytes: Uint8Array) => {
    const path = join(folder, 'untrusted.npy')
    await writeFile(path, bytes)
    return await readNpy(path)
  }

  it.each([
    ['an empty file', Buffer.alloc(0), 'only 0 bytes'],
    ['another format', Buffer.from('PK\x03\x04 and so on and on'), 'does not start'],
    ['a later version', Buffer.from('\x93NUMPY\x04\x00\x00\x00\x00\x00\x00', 'latin1'), 'version is 4.0'],
    [
      'a header beyond the end',
      header('{'.repeat(40)).subarray(0, 20),
      'claims to end at byte 50, the file at byte 20',
    ],
    ['a huge header', Buffer.from('\x93NUMPY\x02\x00\xff\xff\xff\xff', 'latin1'), 'claims 4294967295'],
    ['no dictionary', header('hello world'), 'not a dictionary'],
    ['a missing key', header("{'descr': '<f4', 'shape': (2,)}"), 'not a dictionary'],
    [
      'a negative size',
      header("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}"),
      'not a dictionary',
    ],
    [
      'a gap in the shape',
      header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,,3)}"),
      'shape is (2,,3)',
    ],
    [
      'sizes whose product overflows',
      header(`{'descr': '<f4', 'fortran_order': False, 'shape': (${'9007199254740991,'.repeat(30)})}`),
      'bytes of data, and 0 follow',
    ],
    [
      'a size that is not exact',
      header("{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,)}"),
      'its shape is',
    ],
    [
      'endless empty strings',
      header("{'descr': '<U0', 'fortran_order': False, 'shape': (99999999999,)}"),
      'dtype',
    ],
    [
      'too few data',
      header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 7),
      'needs 8 bytes of data, and 7',
    ],
    ['too many data', header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 9), 'and 9 follow'],
    [
      'no Unicode',
      Buffer.concat([
        header("{'descr': '<U1', 'fortran_order': False, 'shape': (1,)}"),
        Buffer.from([0, 0, 17, 0]),
      ]),
      'not a Unicode code point',
    ],
  ])('%s', async (_, bytes, message) => {
    const error = await failure(read(bytes))
    expect(error.code).toBe('FILE_FORMAT')
    expect(error.message).toContain(message)
  })

  it('older headers: double quotes, long integers, no trailing comma', async () => {
    const text = '{"shape": (2L, 1L), "fortran_order": False, "descr": "<f4"}'
    expect(await read(header(text, 8))).toEqual({
      dtype: 'float32',
      shape: [2, 1],
      data: new Float32Array(2),
    })
  })

  it('any change of a few bytes gives an array or one clear error', async () => {
    const sound = await readFile(fixture('U'))
    const change = fc.tuple(fc.nat(sound.length - 1), fc.nat(255))
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: 4 }),
        fc.nat(sound.length),
        async (changes, size) => {
          const bytes = Buffer.from(sound)
          for (const [position, value] of changes) bytes[position] = value
          const error = await read(bytes.subarray(0, Math.max(size, 130))).then(
            () => undefined,
            (reason: unknown) => reason,
          )
          if (error !== undefined) expect(error).toMatchObject({ name: 'DeepLiftError', code: 'FILE_FORMAT' })
        },
      ),
    )
  })

  it('a file that does not exist', async () => {
    expect((await failure(readNpy(join(folder, 'missing.npy')))).code).toBe('FILE_NOT_FOUND')
    expect((await failure(readNpy(folder))).message).toContain('is a folder')
  })
})

describe('writing', () => {
  const path = () => join(folder, 'out.npy')

  it.each([
    ['float16', Float32Array.of(0, -0.5, 65_504, 2 ** -24, Number.POSITIVE_INFINITY, 1 / 3)],
    ['float32', Float32Array.from([1 / 3, Number.NaN, -0, 1e-40, 5, 6])],
    ['float64', Float64Array.from([1 / 3, Number.NaN, -0, 1e-310, 5, 6])],
    ['int8', Int8Array.of(-128, 127, 0, 1, 2, 3)],
    ['int32', Int32Array.of(-(2 ** 31), 2 ** 31 - 1, 0, 1, 2, 3)],
    ['int64', BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n, 0n, 1n, 2n, 3n)],
    ['uint8', Uint8Array.of(0, 255, 1, 2, 3, 4)],
    ['bool', Uint8Array.of(0, 1, 1, 0, 0, 1)],
    ['string', ['chr1:5-9', '', 'β🧬', 'a', 'b', 'c']],
  ] as const)('%s comes back', async (dtype, data) => {
    const values = typeof data[0] === 'string' ? [...data] : data
    await writeNpy(path(), { dtype, shape: [2, 3], data: values as Float32Array })
    const back = await readNpy(path())
    const rounded =
      dtype === 'float16' ? Float32Array.from(data as Float32Array).fill(0.333251953125, 5) : values
    expect(back).toEqual({ dtype, shape: [2, 3], data: rounded })
    const bytes = await readFile(path())
    expect(bytes.indexOf('\n') % 64, 'the data are aligned').toBe(63)
  })

  it('grows by rows, and the bytes do not depend on how', async () => {
    const whole = Float32Array.from({ length: 2 * 3 * 1000 }, (_, index) => index)
    await writeNpy(path(), { dtype: 'float32', shape: [1000, 2, 3], data: whole })
    const expected = await readFile(path())
    for (const step of [1, 7, 1000]) {
      const writer = await NpyWriter.create(path(), 'float32', [2, 3], step === 7 ? 1000 : undefined)
      for (let row = 0; row < 1000; row += step) await writer.write(whole.subarray(6 * row, 6 * (row + step)))
      expect(writer.rows).toBe(1000)
      await writer.finish()
      expect(await readFile(path())).toEqual(expected)
    }
  })

  it('writes scalars per row and no rows at all', async () => {
    const writer = await NpyWriter.create(path(), 'float64', [])
    await writer.write(Float64Array.of(1, 2, 3))
    await writer.finish()
    expect(await readNpy(path())).toMatchObject({ shape: [3], data: Float64Array.of(1, 2, 3) })
    await (await NpyWriter.create(path(), 'float32', [4, 600])).finish()
    expect(await readNpy(path())).toMatchObject({ shape: [0, 4, 600] })
  })

  it('keeps the old file until the new one is complete, and leaves nothing after abort', async () => {
    await writeFile(path(), 'old')
    const writer = await NpyWriter.create(path(), 'float32', [2])
    await writer.write(Float32Array.of(1, 2))
    expect(await readFile(path(), 'utf8')).toBe('old')
    expect(await readdir(folder)).toHaveLength(2)
    await writer.abort()
    await writer.abort()
    expect(await readdir(folder)).toEqual(['out.npy'])
    expect(await readFile(path(), 'utf8')).toBe('old')

    const second = await NpyWriter.create(path(), 'float32', [2])
    await second.finish()
    await second.abort()
    expect(await readNpy(path())).toMatchObject({ shape: [0, 2] })
    expect(await readdir(folder)).toEqual(['out.npy'])
  })

  it('refuses what does not fit', async () => {
    const writer = await NpyWriter.create(path(), 'float32', [2, 3], 2)
    expect((await failure(writer.write(new Float32Array(7)))).message).toContain(
      '7 values are not whole rows',
    )
    expect((await failure(writer.write(new Float64Array(6)))).message).toContain(
      'given as a Float32Array, not Float64Array',
    )
    await writer.write(new Float32Array(6))
    expect((await failure(writer.finish())).message).toContain('should have 2 rows; 1 were written')
    await writer.abort()
    const bad = { dtype: 'float32', shape: [2], data: new Float32Array(3) } as const
    expect((await failure(writeNpy(path(), { ...bad, shape: [2] }))).code).toBe('INVALID_INPUT')
    expect((await failure(NpyWriter.create(path(), 'string' as never, [2]))).code).toBe('INVALID_OPTION')
    expect((await failure(NpyWriter.create(path(), 'float32', [2, 0]))).code).toBe('INVALID_OPTION')
    const nowhere = await failure(NpyWriter.create(join(folder, 'no', 'out.npy'), 'float32', [2]))
    expect(nowhere.message).toContain(`the folder ${join(folder, 'no')} does not exist`)
    expect(await readdir(folder)).toEqual([])
  })
})
