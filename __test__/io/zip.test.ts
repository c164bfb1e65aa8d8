/** What archives hold that .npz files of tests are too small for. */

import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { fromBufferPromise, openPromise } from 'yauzl'
import { joinChecksums } from '../../src/io/crc.js'
import { centralHeader, endOfArchive, localHeader, type Member, STORED } from '../../src/io/zip-records.js'
import { missingPython, named, python } from '../support/python.js'

const noReaders = missingPython('readers')

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-zip-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

it('checksums of two runs of bytes join to that of both', () => {
  const bytes = fc.uint8Array({ maxLength: 300 })
  fc.assert(
    fc.property(bytes, bytes, (first, second) => {
      const joined = joinChecksums(crc32(first), crc32(second), second.length)
      expect(joined).toBe(crc32(Buffer.concat([first, second])))
    }),
  )
  const zeros = new Uint8Array(1 << 24)
  expect(joinChecksums(crc32('begin'), crc32(zeros), zeros.length)).toBe(crc32(zeros, crc32('begin')))
})

/** `{ name, bytes }` of each member; those of the first are 5 GB of which nothing is written. */
const HUGE = 5 * 2 ** 30
const TEXT = Buffer.from('behind four gigabytes')

function member(name: string, offset: number, size: number, checksum: number): Member {
  return { name: Buffer.from(name), method: STORED, offset, checksum, packed: size, size }
}

/** An archive of 5 GiB that takes some kilobytes of a disk with sparse files. */
async function hugeArchive(): Promise<string> {
  const path = join(folder, 'huge.zip')
  const file = await open(path, 'w')
  const huge = member('huge', 0, HUGE, 0)
  await file.write(localHeader(huge), 0, undefined, 0)
  const small = member('small', localHeader(huge).length + HUGE, TEXT.length, crc32(TEXT))
  await file.write(Buffer.concat([localHeader(small), TEXT]), 0, undefined, small.offset)
  const start = small.offset + localHeader(small).length + TEXT.length
  const list = Buffer.concat([centralHeader(huge), centralHeader(small)])
  await file.write(Buffer.concat([list, endOfArchive(2, start, start + list.length)]), 0, undefined, start)
  await file.close()
  return path
}

it('members beyond four gigabytes are found', async () => {
  const zip = await openPromise(await hugeArchive())
  const found = new Map<string, number>()
  for await (const entry of zip.eachEntry()) {
    found.set(entry.fileName, entry.uncompressedSize)
    if (entry.fileName !== 'small') continue
    const chunks: Buffer[] = []
    for await (const chunk of await zip.openReadStreamPromise(entry)) chunks.push(chunk as Buffer)
    expect(Buffer.concat(chunks)).toEqual(TEXT)
  }
  expect(Object.fromEntries(found)).toEqual({ huge: HUGE, small: TEXT.length })
})

it.skipIf(noReaders)(named('Python finds them as well', noReaders), async () => {
  const program = [
    'import json, sys, zipfile',
    'z = zipfile.ZipFile(sys.argv[1])',
    'print(json.dumps([[i.file_size for i in z.infolist()], z.read("small").decode()]))',
  ].join('\n')
  expect(python('readers', program, [await hugeArchive()])).toEqual([[HUGE, TEXT.length], TEXT.toString()])
})

it('more members than two bytes count', async () => {
  const count = 70_000
  const locals: Buffer[] = []
  const list: Buffer[] = []
  let offset = 0
  for (let index = 0; index < count; index++) {
    const empty = member(`${index}`, offset, 0, 0)
    locals.push(localHeader(empty))
    list.push(centralHeader(empty))
    offset += locals.at(-1)!.length
  }
  const entries = Buffer.concat(list)
  const end = endOfArchive(count, offset, offset + entries.length)
  const zip = await fromBufferPromise(Buffer.concat([...locals, entries, end]))
  expect(zip.entryCount).toBe(count)
  let last = ''
  for await (const { fileName } of zip.eachEntry()) last = fileName
  expect(last).toBe(`${count - 1}`)
})
