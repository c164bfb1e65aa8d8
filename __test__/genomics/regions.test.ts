import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readBed } from '../../src/genomics/bed.js'
import { type BedRow, windowOf } from '../../src/genomics/region.js'
import { expectError } from '../support/errors.js'

async function rows(text: string | Uint8Array): Promise<BedRow[]> {
  const found: BedRow[] = []
  for await (const row of readBed(typeof text === 'string' ? Buffer.from(text) : text)) found.push(row)
  return found
}

const NARROW_PEAK = 'chr1\t100\t300\tpeak_1\t500\t+\t3.1\t4.2\t5.3\t40'

describe('BED', () => {
  test('of three columns, and of more', async () => {
    const [three, six] = await rows('chr1\t10\t21\nchr2\t0\t4\tname\t0\t-\n')
    expect(three).toEqual({
      chrom: 'chr1',
      start: 10,
      end: 21,
      name: undefined,
      strand: '.',
      summit: 15,
      line: 1,
      row: 0,
      text: 'chr1\t10\t21',
    })
    expect(six).toMatchObject({ name: 'name', strand: '-', summit: 2, line: 2, row: 1 })
  })

  test('narrowPeak: the summit is counted from the start, -1 is the middle', async () => {
    const [peak, none] = await rows(`${NARROW_PEAK}\n${NARROW_PEAK.replace(/40$/, '-1')}`)
    expect([peak!.summit, none!.summit]).toEqual([140, 200])
  })

  test('the tenth of twelve columns is no summit', async () => {
    const [row] = await rows(`chr1\t100\t300\tx\t0\t+\t100\t300\t0\t2\t10,10\t0,190`)
    expect(row!.summit).toBe(200)
  })

  test('comments, headers, blank lines and CRLF are skipped; blanks separate where there are no tabs', async () => {
    const text = 'browser position chr1\r\ntrack name=x\r\n#c\r\n\r\nchr1 1   5\r\ntrackless\t1\t2\r\n'
    const found = await rows(text)
    expect(found.map(({ chrom, end, line, row }) => [chrom, end, line, row])).toEqual([
      ['chr1', 5, 5, 0],
      ['trackless', 2, 6, 1],
    ])
  })

  test('packed with gzip, and in chunks of any size', async () => {
    const text = Array.from({ length: 50 }, (_, i) => `chr${i}\t${i}\t${i + 9}`).join('\n')
    expect(await rows(gzipSync(text))).toEqual(await rows(text))
    for (const size of [1, 2, 7]) {
      const chunks = async function* () {
        for (let start = 0; start < text.length; start += size)
          yield Buffer.from(text.slice(start, start + size))
      }
      const found: BedRow[] = []
      for await (const row of readBed(chunks())) found.push(row)
      expect(found).toEqual(await rows(text))
    }
  })

  test.each([
    ['chr1\t5', 'column 1: expected chromosome, start and end'],
    ['chr1\tx\t9', 'column 2: expected a whole number, found "x"'],
    ['chr1\t-1\t9', 'column 2'],
    ['chr1\t1e3\t2000', 'column 2'],
    ['chr1\t9\t5', 'column 3: the end 5 lies before the start 9'],
    [NARROW_PEAK.replace(/40$/, '201'), 'column 10: the summit 201'],
    ['\t1\t2', 'column 1'],
  ])('%s is refused', async (line, message) => {
    await expectError(() => rows(`chr1\t1\t2\n${line}\n`), 'FILE_FORMAT', 'the bytes given, line 2,', message)
  })
})

describe('windows', () => {
  const row: BedRow = {
    chrom: 'c',
    start: 0,
    end: 0,
    name: undefined,
    strand: '.',
    summit: 0,
    line: 1,
    row: 0,
    text: '',
  }

  test('lie on the chromosome, or are dropped, or padded over its edges', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 300 }),
        fc.integer({ min: 1, max: 120 }),
        fc.integer({ min: 1, max: 200 }),
        (summit, length, size) => {
          const dropping = windowOf({ ...row, summit }, length, size, 'drop')
          const padding = windowOf({ ...row, summit }, length, size, 'pad')
          if (summit >= size) {
            expect([dropping, padding]).toEqual(['outside', 'outside'])
            return
          }
          if (typeof padding === 'string') return expect.fail(`padded windows are not dropped: ${padding}`)
          expect(padding.end - padding.start).toBe(length)
          // As many bases before the summit as from it on, or one less after it.
          expect([0, 1]).toContain(padding.end - summit - (summit - padding.start))
          expect(padding.name).toBe(`c:${padding.start}-${padding.end}`)
          const inside = padding.start >= 0 && padding.end <= size
          expect(dropping).toEqual(inside ? padding : 'edge')
        },
      ),
    )
  })

  test('of no length, and unknown policies, are refused', async () => {
    await expectError(() => windowOf(row, 0, 10, 'drop'), 'INVALID_OPTION', 'windowOf: length')
    await expectError(() => windowOf(row, 4, 10, 'clip' as 'pad'), 'INVALID_OPTION', "'drop' or 'pad'")
  })

  test('of even length are those of ChromBPNet: start + summit - length // 2', () => {
    expect(windowOf({ ...row, summit: 1057 }, 2114, 9999, 'drop')).toMatchObject({ start: 0, end: 2114 })
    expect(windowOf({ ...row, summit: 1056 }, 2114, 9999, 'drop')).toBe('edge')
  })
})
