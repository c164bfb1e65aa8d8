import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DeepLiftError } from '../../src/errors.js'
import { type FastaOptions, readFasta, type SequenceRecord } from '../../src/genomics/fasta.js'
import type { ByteSource } from '../../src/io/byte-source.js'
import { BGZIP_END, bgzipBlock } from '../support/genome.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-fasta-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

const ascii = (text: string) => Buffer.from(text, 'latin1')

async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size)
}

async function collect(source: ByteSource, options?: FastaOptions): Promise<SequenceRecord[]> {
  const records: SequenceRecord[] = []
  for await (const record of readFasta(source, options)) records.push(record)
  return records
}

const letters = ({ codes }: SequenceRecord) => Array.from(codes, (code) => 'ACGTN'[code]).join('')

async function failure(source: ByteSource | string, options?: FastaOptions): Promise<DeepLiftError> {
  const error = await collect(source, { name: 'x.fa', ...options }).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(DeepLiftError)
  return error as DeepLiftError
}

const TEXT = '>one first record\nACGT\nacgt\n\n>two\r\nNRYSWKM\r\nBDHVnA\r\n>three\tx y\nTTT'
const RECORDS = [
  { name: 'one', description: 'first record', line: 1, codes: Uint8Array.of(0, 1, 2, 3, 0, 1, 2, 3) },
  { name: 'two', description: '', line: 5, codes: Uint8Array.of(4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 0) },
  { name: 'three', description: 'x y', line: 8, codes: Uint8Array.of(3, 3, 3) },
]

describe('readFasta', () => {
  it('gives the same records however the bytes arrive', async () => {
    const bytes = ascii(TEXT)
    const path = join(folder, 'plain.fa')
    await writeFile(path, bytes)
    expect(await collect(path)).toEqual(RECORDS)
    expect(await collect(pathToFileURL(path))).toEqual(RECORDS)
    expect(await collect(bytes)).toEqual(RECORDS)
    for (let size = 1; size <= bytes.length; size++)
      expect(await collect(inChunks(bytes, size)), `chunks of ${size}`).toEqual(RECORDS)
  })

  it('unpacks gzip, gzip of several members and bgzip by their first bytes', async () => {
    const bytes = ascii(TEXT)
    const path = join(folder, 'packed-without-extension')
    const members = Buffer.concat([gzipSync(bytes.subarray(0, 30)), gzipSync(bytes.subarray(30))])
    const blocks = [bytes.subarray(0, 11), bytes.subarray(11, 40), bytes.subarray(40)].map(bgzipBlock)
    for (const packed of [gzipSync(bytes), members, Buffer.concat([...blocks, BGZIP_END])]) {
      await writeFile(path, packed)
      expect(await collect(path)).toEqual(RECORDS)
      for (const size of [1, 7, 1000]) expect(await collect(inChunks(packed, size))).toEqual(RECORDS)
    }
  })

  it('refuses compressed files that are cut or damaged', async () => {
    const packed = gzipSync(ascii(`${TEXT}\n`.repeat(50)))
    for (const size of [12, packed.length >> 1, packed.length - 1]) {
      const error = await failure(packed.subarray(0, size))
      expect(error.code).toBe('FILE_FORMAT')
      expect(error.message).toContain('damaged or incomplete gzip')
    }
    const damaged = Buffer.from(packed)
    damaged[damaged.length - 8]! ^= 1
    expect((await failure(damaged)).code).toBe('FILE_FORMAT')

    // Every block is sound; only the end marker tells that the rest is missing.
    const error = await failure(bgzipBlock(ascii('>a\nACGT\n')))
    expect(error.code).toBe('FILE_FORMAT')
    expect(error.message).toContain('incomplete bgzip')
  })

  it.each([
    ['>a\nACGT\nAC*T\n', 'record "a", line 3, column 3: found \'*\'', { line: 3, column: 3, letter: '*' }],
    ['>a\nAC-GT\n', "column 3: found '-': a gap", { line: 2, column: 3 }],
    ['>a\nAC1\n', "column 3: found '1', which is not a nucleotide", { letter: '1' }],
    ['>p\nMKLE\n', "column 3: found 'L'", { record: 'p' }],
    ['>a\nAC GT\n', 'column 3: found the byte 0x20', { column: 3 }],
    ['>a\nAC\rGT\n', 'column 3: found a carriage return', { column: 3 }],
    ['>a\nACU\n', "uracil: 't'", { column: 3 }],
    ['>a\nAC\xc3\n', 'the byte 0xc3', { column: 3 }],
  ])('refuses the letters of %j', async (text, message, details) => {
    for (const size of [1, 2, 100]) {
      const error = await failure(inChunks(ascii(text), size))
      expect(error.code).toBe('INVALID_SEQUENCE')
      expect(error.message).toContain(message)
      expect(error.message.startsWith('x.fa: ')).toBe(true)
      expect(error.details).toMatchObject({ file: 'x.fa', ...details })
    }
  })

  it('reads lower case, ambiguity and U as the options say', async () => {
    const read = async (text: string, options: FastaOptions) =>
      letters((await collect(ascii(text), options))[0]!)
    expect(await read('>a\nacguACGU', { uracil: 't' })).toBe('ACGTACGT')
    expect((await failure(ascii('>a\nACg'), { lowercase: 'reject' })).message).toContain('column 3')
    expect((await failure(ascii('>a\nACR'), { ambiguous: 'reject' })).message).toContain("'R'")
    expect(await read('>a\nACn', { ambiguous: 'n', lowercase: 'accept' })).toBe('ACN')
  })

  it.each([
    ['', 'FILE_FORMAT', 'has no records'],
    ['\n\n\r\n', 'FILE_FORMAT', 'has no records'],
    ['ACGT\n>a\nACGT\n', 'FILE_FORMAT', 'line 1: expected ">" before any sequence, found "ACGT"'],
    ['\n; comment\n>a\nACGT\n', 'FILE_FORMAT', 'line 2: expected ">"'],
    ['\xef\xbb\xbf>a\nACGT\n', 'FILE_FORMAT', 'byte order mark'],
    ['>a\n>b\nACGT\n', 'INVALID_SEQUENCE', 'record "a" (line 1) has no bases'],
    ['>a\nACGT\n>b\n\n', 'INVALID_SEQUENCE', 'record "b" (line 3) has no bases'],
    ['>a\nACGT\n>b', 'INVALID_SEQUENCE', 'record "b" (line 3) has no bases'],
    ['>\nACGT\n', 'INVALID_SEQUENCE', 'line 1: the record has no name'],
  ])('refuses %j', async (text, code, message) => {
    const error = await failure(ascii(text))
    expect(error.code).toBe(code)
    expect(error.message).toContain(message)
  })

  it('checks the length and names file, record, line, expected and found', async () => {
    const path = join(folder, 'lengths.fa')
    await writeFile(path, '>a\nACGT\n>b\nAC\nG\n')
    expect(await collect(ascii('>a\nAC\nGT\n>b\nTTTT'), { length: 4 })).toHaveLength(2)
    const error = await failure(path, { length: 4, name: undefined })
    expect(error.code).toBe('INVALID_SEQUENCE')
    expect(error.message).toBe(`${path}: record "b" (line 3) has 3 bases; 4 are needed.`)
    expect(error.details).toEqual({ file: path, record: 'b', line: 3, expected: 4, found: 3 })
    expect((await failure(ascii('>a\nACG\nTACGT\n'), { length: 4 })).message).toContain('has 8 bases; 4 are')
  })

  it('gives every record before the one that is wrong', async () => {
    const names: string[] = []
    const reading = (async () => {
      for await (const { name } of readFasta(ascii('>a\nAC\n>b\nGT\n>c\nA!\n'))) names.push(name)
    })()
    await expect(reading).rejects.toThrow('column 2')
    expect(names).toEqual(['a', 'b'])
  })

  it('blames the call for wrong arguments', async () => {
    expect(() => readFasta(undefined as never)).toThrow('takes a path')
    expect(() => readFasta('x.fa', { length: 0 })).toThrow('length is a positive whole number')
    expect(() => readFasta('x.fa', { lowercase: 'upper' as never })).toThrow(
      "lowercase is 'accept' or 'reject'",
    )
    const missing = await failure(join(folder, 'missing.fa'))
    expect(missing.code).toBe('FILE_NOT_FOUND')
    expect((await failure(folder)).message).toContain('is a folder')
    const text = (async function* () {
      yield '>a\nACGT'
    })()
    expect((await failure(text as never)).code).toBe('INVALID_INPUT')
  })

  it('stops when aborted and passes on the errors of its stream', async () => {
    expect((await failure(ascii(TEXT), { signal: AbortSignal.abort() })).code).toBe('ABORTED')
    const controller = new AbortController()
    const aborted = (async () => {
      for await (const _ of readFasta(inChunks(ascii(TEXT), 5), { signal: controller.signal }))
        controller.abort()
    })()
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' })

    const broken = new Error('the network is gone')
    for (const bytes of [ascii(TEXT), gzipSync(ascii(TEXT))]) {
      const source = (async function* () {
        yield bytes.subarray(0, 20)
        throw broken
      })()
      await expect(collect(source)).rejects.toBe(broken)
    }
  })

  it('reads no further than its consumer asks, and closes its source', async () => {
    for (const pack of [(bytes: Buffer) => bytes, gzipSync]) {
      let given = 0
      let closed = false
      const source = (async function* () {
        try {
          for (; given < 1000; given++) yield pack(ascii(`>r${given}\n${'ACGT'.repeat(20_000)}\n`))
        } finally {
          closed = true
        }
      })()
      let seen = 0
      for await (const _ of readFasta(source)) if (++seen === 3) break
      await new Promise(setImmediate)
      expect(closed).toBe(true)
      expect(given).toBeLessThan(200)
    }
  })

  it('returns what was written, for any sequences, line length, line end and chunk size', async () => {
    const sequence = fc.string({ unit: fc.constantFrom(...'ACGTN'), minLength: 1, maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(sequence, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 20 }),
        fc.constantFrom('\n', '\r\n'),
        fc.integer({ min: 1, max: 50 }),
        async (sequences, width, newline, chunk) => {
          const text = sequences
            .flatMap((bases, index) => [`>s${index}`, ...bases.match(new RegExp(`.{1,${width}}`, 'g'))!])
            .join(newline)
          const records = await collect(inChunks(ascii(text), chunk))
          expect(records.map(letters)).toEqual(sequences)
        },
      ),
    )
  })
})
