import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { DeepLiftError } from '../../src/errors.js'
import { readNpz } from '../../src/io/npz-read.js'
import { NpzWriter } from '../../src/io/npz-write.js'
import { randomCodes, randomFloats } from '../support/models.js'
import { missingPython, named, python } from '../support/python.js'

const noReaders = missingPython('readers')

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}.npz`, import.meta.url))

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-npz-'))
  path = join(folder, 'scores.npz')
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

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | Uint8Array) =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength)

const CONTRIBUTIONS = Float32Array.from({ length: 5 * 4 * 10 }, (_, index) => Math.sin(index))
const COMPLETENESS = Float64Array.of(1e-7, 2e-7, 3e-7, 4e-7, 5e-7)
const NAMES = ['chr1:5-9', 'β', 'peak three', 'd', 'e']

/** Five rows in batches of three and two. */
async function writeScores(options = {}): Promise<void> {
  const writer = await NpzWriter.create(
    path,
    [
      { key: 'contributions', dtype: 'float32', rowShape: [4, 10] },
      { key: 'completeness', dtype: 'float64', rowShape: [] },
    ],
    options,
  )
  await writer.append('contributions', CONTRIBUTIONS.subarray(0, 120))
  await writer.append('completeness', COMPLETENESS.subarray(0, 3))
  writer.put('names', { dtype: 'string', shape: [5], data: NAMES })
  await writer.append('contributions', CONTRIBUTIONS.subarray(120))
  await writer.append('completeness', COMPLETENESS.subarray(3))
  await writer.finish()
}

const SCORES = {
  contributions: { dtype: 'float32', shape: [5, 4, 10], data: CONTRIBUTIONS },
  completeness: { dtype: 'float64', shape: [5], data: COMPLETENESS },
  names: { dtype: 'string', shape: [5], data: NAMES },
}

describe('NpzWriter', () => {
  it('writes texts that come one after the other as those that are known as a whole', async () => {
    // More than are held in memory at once.
    const texts = Array.from({ length: 30_000 }, (_, row) => NAMES[row % 5]!.repeat(row % 3))
    const writer = await NpzWriter.create(path, [{ key: 'names', dtype: 'string', rowShape: [] }])
    await writer.append('names', texts.slice(0, 7))
    await writer.append('names', texts.slice(7))
    await writer.finish()
    const grown = await readNpz(path)
    const whole = await NpzWriter.create(path, [])
    whole.put('names', { dtype: 'string', shape: [texts.length], data: texts })
    await whole.finish()
    expect(grown).toEqual(await readNpz(path))
    expect(grown.names!.data).toEqual(texts)
    expect(await readdir(folder)).toEqual(['scores.npz'])
  })

  it('refuses numbers for texts, and texts for numbers', async () => {
    const writer = await NpzWriter.create(path, [
      { key: 'names', dtype: 'string', rowShape: [] },
      { key: 'values', dtype: 'float32', rowShape: [] },
    ])
    expect((await failure(writer.append('names', new Float32Array(2)))).message).toContain('takes texts')
    expect((await failure(writer.append('values', ['a']))).message).toContain('takes numbers')
    await writer.abort()
    expect(await readdir(folder)).toEqual([])
  })

  it.each([{ compress: false }, { compress: true }])('what it writes comes back: %j', async (options) => {
    await writeScores(options)
    expect(await readNpz(path)).toEqual(SCORES)
    expect(await readNpz(path, ['names'])).toEqual({ names: SCORES.names })
    expect(await readdir(folder)).toEqual(['scores.npz'])
  })

  it('equal contents give equal bytes', async () => {
    await writeScores()
    const first = await readFile(path)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 86_400_000 })
    await writeScores()
    expect(await readFile(path)).toEqual(first)
    vi.useRealTimers()
  })

  it('arrays that wait in files are copied in pieces', async () => {
    const [rows, perRow] = [5, 1 << 17]
    const values = randomFloats(rows * perRow, 1)
    const letters = randomCodes(rows * perRow, 2)
    for (const compress of [false, true]) {
      const writer = await NpzWriter.create(
        path,
        [
          { key: 'a', dtype: 'float32', rowShape: [perRow] },
          { key: 'b', dtype: 'float32', rowShape: [perRow] },
          { key: 'c', dtype: 'uint8', rowShape: [perRow] },
        ],
        { compress },
      )
      await writer.append('b', values)
      await writer.append('c', letters)
      await writer.append('a', values)
      await writer.finish()
      const read = await readNpz(path)
      expect(Object.keys(read)).toEqual(['a', 'b', 'c'])
      for (const [key, expected] of [
        ['a', values],
        ['b', values],
        ['c', letters],
      ] as const)
        expect(Buffer.compare(bytesOf(read[key]!.data as Float32Array), bytesOf(expected))).toBe(0)
    }
  })

  it('an empty archive is one', async () => {
    await (await NpzWriter.create(path, [])).finish()
    expect(await readNpz(path)).toEqual({})
  })

  it('keeps the old file and leaves nothing else after abort', async () => {
    await writeFile(path, 'old')
    const writer = await NpzWriter.create(path, [{ key: 'a', dtype: 'float32', rowShape: [2] }])
    await writer.append('a', Float32Array.of(1, 2))
    await writer.abort()
    await writer.abort()
    expect(await readdir(folder)).toEqual(['scores.npz'])
    expect(await readFile(path, 'utf8')).toBe('old')
  })

  it('abort after a failed finish leaves nothing', async () => {
    const writer = await NpzWriter.create(path, [
      { key: 'a', dtype: 'float32', rowShape: [2] },
      { key: 'b', dtype: 'float32', rowShape: [3] },
    ])
    await mkdir(path)
    expect((await failure(writer.finish())).message).toContain('cannot be written')
    await writer.abort()
    expect(await readdir(folder)).toEqual(['scores.npz'])
  })

  it('refuses keys that are taken, unknown or no path inside the archive', async () => {
    const row = { key: 'a', dtype: 'float32', rowShape: [2] } as const
    expect((await failure(NpzWriter.create(path, [row, row]))).message).toContain('two arrays named "a"')
    for (const key of ['', '../a', '/a', 'a\\b'])
      expect((await failure(NpzWriter.create(path, [{ ...row, key }]))).code).toBe('INVALID_OPTION')
    expect(await readdir(folder)).toEqual([])
    const writer = await NpzWriter.create(path, [row])
    expect((await failure(writer.append('b', new Float32Array(2)))).message).toContain('no growing array "b"')
    expect(() => writer.put('a', { dtype: 'bool', shape: [1], data: Uint8Array.of(1) })).toThrow('two arrays')
    await writer.abort()
  })

  it.skipIf(noReaders)(named('writes archives that NumPy reads', noReaders), async () => {
    for (const compress of [false, true]) {
      await writeScores({ compress })
      const program = [
        'import json, sys, numpy as np',
        'z = np.load(sys.argv[1])',
        'print(json.dumps({k: [z[k].dtype.str, z[k].shape, z[k].ravel().tolist()] for k in z.files}))',
      ].join('\n')
      expect(python('readers', program, [path])).toEqual({
        contributions: ['<f4', [5, 4, 10], Array.from(CONTRIBUTIONS)],
        completeness: ['<f8', [5], Array.from(COMPLETENESS)],
        names: ['<U10', [5], NAMES],
      })
    }
  })
})

describe('readNpz', () => {
  it.each(['stored', 'deflated'])('reads what NumPy wrote, %s', async (name) => {
    const a = {
      dtype: 'float32',
      shape: [2, 3, 4],
      data: Float32Array.from({ length: 24 }, (_, index) => index),
    }
    expect(await readNpz(fixture(name))).toEqual({
      a,
      names: { dtype: 'string', shape: [2], data: ['one', 'two'] },
    })
  })

  it('names the arrays there are when one is missing', async () => {
    const error = await failure(readNpz(fixture('stored'), ['a', 'b']))
    expect(error.code).toBe('FILE_FORMAT')
    expect(error.message).toContain('has no array "b", only a, names')
  })

  it('refuses archives that are cut, damaged, ambiguous or no archives', async () => {
    const sound = await readFile(fixture('stored'))
    const read = async (bytes: Uint8Array) => {
      await writeFile(path, bytes)
      return await failure(readNpz(path))
    }
    for (let size = 0; size < sound.length; size += 13)
      expect((await read(sound.subarray(0, size))).code).toBe('FILE_FORMAT')

    const damaged = Buffer.from(sound)
    damaged[sound.indexOf('\n') + 5]! ^= 1
    expect((await read(damaged)).message).toContain('member a.npy, cannot be read: its checksum is wrong')

    const bomb = Buffer.from(await readFile(fixture('deflated')))
    const directory = bomb.indexOf('PK\x01\x02')
    bomb.writeUInt32LE(0xf0000000, directory + 24)
    expect((await read(bomb)).message).toContain('claim to unpack to 4026531840')

    expect((await failure(readNpz(fixture('refused_two_of_a_name')))).message).toContain('two of its members')
    expect((await failure(readNpz(join(folder, 'missing.npz')))).code).toBe('FILE_NOT_FOUND')
  })
})
