import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { BgzipIndexedFasta, IndexedFasta } from '@gmod/indexedfasta'
import { TwoBitFile } from '@gmod/twobit'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Genome } from '../../src/genomics/genome.js'
import { expectError } from '../support/errors.js'
import { bgzip, fastaOf, type Letters, twoBitOf } from '../support/genome.js'

const LETTERS: Letters = {
  chr1: 'ACGTTGCAnnNNacgtGGCCAATTacgNNNNNTTTTA'.repeat(7),
  chr2: 'G',
  'chr3|odd.name': 'NNNNacgtacgtTTGACA',
  chrM: 'ACGT'.repeat(50),
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-genome-'))
  await writeFile(at('a.fa'), fastaOf(LETTERS, 10))
  await writeFile(at('crlf.fa'), fastaOf(LETTERS, 7, '\r\n'))
  await writeFile(at('one-line.fa'), fastaOf(LETTERS, 10_000).trimEnd())
  await writeFile(at('b.fa.gz'), bgzip(Buffer.from(fastaOf(LETTERS, 10)), 64))
  await writeFile(at('c.2bit'), twoBitOf(LETTERS))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

const at = (name: string) => join(folder, name)
const FILES = ['a.fa', 'crlf.fa', 'one-line.fa', 'b.fa.gz', 'c.2bit']

/** What must be read: letters as codes, unknown beyond the edges. */
function expected(chrom: string, start: number, end: number, lowercase: 'upper' | 'unknown'): number[] {
  return Array.from({ length: end - start }, (_, i) => {
    const letter = LETTERS[chrom]![start + i] ?? 'N'
    const code = 'ACGT'.indexOf(lowercase === 'upper' ? letter.toUpperCase() : letter)
    return code < 0 ? 4 : code
  })
}

describe.each(FILES)('%s', (file) => {
  test.each(['upper', 'unknown'] as const)('gives any part, with lower case %s', async (lowercase) => {
    const genome = await Genome.open(at(file), { lowercase })
    expect([...genome.sizes]).toEqual(Object.entries(LETTERS).map(([name, { length }]) => [name, length]))
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.keys(LETTERS)),
        fc.integer({ min: -20, max: 270 }),
        fc.integer({ min: 0, max: 90 }),
        async (chrom, start, length) => {
          const codes = await genome.codes(chrom, start, start + length)
          expect([...codes]).toEqual(expected(chrom, start, start + length, lowercase))
        },
      ),
    )
    await genome.close()
  })

  test('names its chromosomes to whoever asks for another', async () => {
    const genome = await Genome.open(at(file))
    await expectError(
      () => genome.codes('1', 0, 4),
      'INVALID_SEQUENCE',
      'no chromosome "1", only chr1, chr2, chr3|odd.name, chrM',
      'It has "chr1"',
    )
    await expectError(() => genome.codes('chr9', 0, 4), 'INVALID_SEQUENCE', /chrM\.$/)
    await genome.close()
  })
})

describe('indices', () => {
  test('are those that other readers read', async () => {
    for (const name of ['a.fa', 'crlf.fa', 'one-line.fa', 'b.fa.gz'])
      await (await Genome.open(at(name))).close()
    const readers = [
      ...['a.fa', 'crlf.fa', 'one-line.fa'].map((name) => new IndexedFasta({ path: at(name) })),
      new BgzipIndexedFasta({
        path: at('b.fa.gz'),
        faiPath: at('b.fa.gz.fai'),
        gziPath: at('b.fa.gz.gzi'),
      }),
      new TwoBitFile({ path: at('c.2bit') }),
    ]
    for (const reader of readers)
      for (const [name, letters] of Object.entries(LETTERS)) {
        const end = Math.min(letters.length, 200)
        // @gmod/twobit writes a run of N in one case, that of its first letter.
        const found = (await reader.getSequence(name, end >> 2, end))!.replaceAll('n', 'N')
        expect(found).toBe(letters.slice(end >> 2, end).replaceAll('n', 'N'))
      }
  })

  test('are taken as they are, and made in the cache where the folder is read-only', async () => {
    const own = at('own.fa')
    await writeFile(own, '>x\nAAAA\n>y\nCCCC\n')
    await writeFile(`${own}.fai`, 'renamed\t4\t3\t4\t5\n')
    const genome = await Genome.open(own)
    expect([...genome.sizes.keys()]).toEqual(['renamed'])
    await genome.close()
  })

  // Root may write everywhere.
  test.skipIf(process.getuid?.() === 0)(
    'are made in the cache for a folder that cannot be written',
    async () => {
      await mkdir(at('locked'))
      await writeFile(at('locked/x.fa'), '>x\nAAAA\n')
      await chmod(at('locked'), 0o555)
      process.env.XDG_CACHE_HOME = at('cache')
      try {
        for (let run = 0; run < 2; run++) await (await Genome.open(at('locked/x.fa'))).close()
        expect(await readdir(at('cache/deeplift'))).toHaveLength(1)
        expect(await readdir(at('locked'))).toEqual(['x.fa'])
      } finally {
        delete process.env.XDG_CACHE_HOME
        await chmod(at('locked'), 0o755)
      }
    },
  )

  test('are not made for whoever has left', async () => {
    await writeFile(at('left.fa'), '>x\nAAAA\n')
    const signal = AbortSignal.abort()
    await expectError(() => Genome.open(at('left.fa'), { signal }), 'ABORTED', 'Indexing')
    expect(await readdir(folder)).not.toContain('left.fa.fai')
  })

  test('of bgzip files list the blocks that samtools lists', async () => {
    await (await Genome.open(at('b.fa.gz'))).close()
    const gzi = await readFile(at('b.fa.gz.gzi'))
    const text = fastaOf(LETTERS, 10)
    expect(Number(gzi.readBigUInt64LE(0))).toBe(Math.ceil(text.length / 64) - 1)
    expect(Number(gzi.readBigUInt64LE(16))).toBe(64)
    expect(gzi.length).toBe(8 + 16 * (Math.ceil(text.length / 64) - 1))
    expect((await stat(at('b.fa.gz'))).size).toBeGreaterThan(Number(gzi.readBigUInt64LE(gzi.length - 16)))
  })
})

describe('what goes wrong', () => {
  const file = async (name: string, bytes: string | Buffer) => {
    await writeFile(at(name), bytes)
    return at(name)
  }
  const open = async (path: string) => {
    const genome = await Genome.open(path)
    await genome.close()
  }

  test('uneven lines', async () => {
    const path = await file('uneven.fa', '>x\nACGT\nAC\nACGT\n')
    await expectError(() => open(path), 'FILE_FORMAT', 'uneven.fa', 'line 4', 'equally long')
    await expectError(async () => open(await file('long.fa', '>x\nACGT\nACGTA\n')), 'FILE_FORMAT', 'line 3')
  })

  test('no FASTA, two records of one name, gzip instead of bgzip, a missing file', async () => {
    await expectError(async () => open(await file('text.fa', 'hello\n')), 'FILE_FORMAT', 'line 1')
    await expectError(async () => open(await file('empty.fa', '')), 'FILE_FORMAT', 'no records')
    await expectError(async () => open(await file('twice.fa', '>x\nA\n>x\nC\n')), 'FILE_FORMAT', '"x"')
    await expectError(async () => open(await file('g.fa.gz', gzipSync('>x\nA\n'))), 'FILE_FORMAT', 'bgzip')
    await expectError(() => open(at('none.fa')), 'FILE_NOT_FOUND', 'none.fa does not exist')
  })

  test('an index that does not fit', async () => {
    const path = await file('changed.fa', '>x\nACGT\n>y\nACGT\n')
    await writeFile(`${path}.fai`, 'x\t12\t3\t4\t5\n')
    const genome = await Genome.open(path)
    await expectError(
      () => genome.codes('x', 0, 8),
      'INVALID_SEQUENCE',
      'position 4',
      "'>'",
      'changed.fa.fai',
    )
    await expectError(() => genome.codes('x', 8, 12), 'FILE_FORMAT', 'changed.fa')
    await genome.close()
    await writeFile(`${path}.fai`, 'x\t12\t3\n')
    await expectError(() => open(path), 'FILE_FORMAT', 'changed.fa.fai, line 1', 'delete')
  })

  test('a damaged bgzip block', async () => {
    const bytes = bgzip(Buffer.from(fastaOf(LETTERS, 10)), 64)
    const path = await file('damaged.fa.gz', bytes)
    await open(path)
    // The trailer of the first block holds its checksum.
    bytes[bytes.readUInt16LE(16) + 1 - 8]! ^= 1
    await writeFile(path, bytes)
    const genome = await Genome.open(path)
    await expectError(() => genome.codes('chr1', 0, 8), 'FILE_FORMAT', 'no sound bgzip block at byte 0')
    await genome.close()
  })

  test('2bit files that are cut off anywhere never give wrong bases', async () => {
    const whole = twoBitOf({ x: 'ACGTNNNNacgt' })
    for (let size = 16; size < whole.length; size++) {
      const path = await file('cut.2bit', whole.subarray(0, size))
      const read = async () => {
        const genome = await Genome.open(path)
        try {
          await genome.codes('x', 0, 12)
        } finally {
          await genome.close()
        }
      }
      await expectError(read, 'FILE_FORMAT', 'cut.2bit cannot be read as 2bit')
    }
    const swapped = Buffer.from(whole)
    swapped.subarray(0, 4).reverse()
    await expectError(async () => open(await file('big.2bit', swapped)), 'FILE_FORMAT', 'big-endian')
  })
})
