import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DeepLiftError, readVariantList, readVcf, type Variant } from '../../src/index.js'
import { expectError } from '../support/errors.js'
import { bgzip } from '../support/genome.js'

const HEADER = [
  '##fileformat=VCFv4.4',
  '##INFO=<ID=NS,Number=1,Type=Integer,Description="Samples, with data">',
  '#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tA\tB',
]
const bytes = (...lines: string[]) => Buffer.from([...lines, ''].join('\n'))

async function all(source: AsyncIterable<Variant>): Promise<Variant[]> {
  const found: Variant[] = []
  for await (const variant of source) found.push(variant)
  return found
}

describe('VCF', () => {
  const RECORDS = [
    '20\t14370\trs6054257\tG\tA\t29\tPASS\tNS=3;DP=14\tGT:GQ\t0|0:48\t1|0:48',
    '20\t1110696\trs6040355;x1\ta\tG,t\t67\t.\t.\tGT\t1|2\t2|1',
    '20\t1230237\t.\tT\t.\t47\tPASS\t.',
    '20\t1234567\tmicrosat1\tGTC\tG,GTCT,*\t50\tPASS\t.',
    'chrUn:1,2\t7\t.\tN\tNAC\t.\t.\t.',
    '2\t321682\tbnd_V\tT\t]13:123456]T\t6\tPASS\tSVTYPE=BND',
    '2\t321683\t.\tT\t.TGC,TGC.,<INS:ME>,<*>\t6\tPASS\t.',
  ]
  const EXPECTED = [
    ['20', 14369, 'G', 'A', 'rs6054257', 4],
    ['20', 1110695, 'A', 'G', 'rs6040355;x1', 5],
    ['20', 1110695, 'A', 'T', 'rs6040355;x1', 5],
    ['20', 1230236, 'T', '.', '20:1230237:T:.', 6],
    ['20', 1234566, 'GTC', 'G', 'microsat1', 7],
    ['20', 1234566, 'GTC', 'GTCT', 'microsat1', 7],
    ['20', 1234566, 'GTC', '*', 'microsat1', 7],
    ['chrUn:1,2', 6, 'N', 'NAC', 'chrUn:1,2:7:N:NAC', 8],
    ['2', 321681, 'T', ']13:123456]T', 'bnd_V', 9],
    ['2', 321682, 'T', '.TGC', '2:321683:T:.TGC', 10],
    ['2', 321682, 'T', 'TGC.', '2:321683:T:TGC.', 10],
    ['2', 321682, 'T', '<INS:ME>', '2:321683:T:<INS:ME>', 10],
    ['2', 321682, 'T', '<*>', '2:321683:T:<*>', 10],
  ].map(([chrom, start, allele1, allele2, id, line]) => ({ chrom, start, allele1, allele2, id, line }))

  test('gives a variant for each alternative allele, 0-based, with its line', async () => {
    expect(await all(readVcf(bytes(...HEADER, ...RECORDS)))).toEqual(EXPECTED)
  })

  test('is the same with other line ends, without a header line, and packed', async () => {
    const text = bytes(...HEADER, ...RECORDS)
    const windows = Buffer.from(text.toString().replaceAll('\n', '\r\n'))
    for (const packed of [windows, gzipSync(text), bgzip(text, 100)])
      expect(await all(readVcf(packed))).toEqual(EXPECTED)
    const bare = EXPECTED.map((variant) => ({ ...variant, line: (variant.line as number) - HEADER.length }))
    expect(await all(readVcf(bytes(...RECORDS)))).toEqual(bare)
  })

  test('takes lines with the genotypes of many samples', async () => {
    const genotypes = '\t0|1'.repeat(1 << 19)
    const lines = [`1\t5\t.\tA\tC\t.\t.\t.\tGT${genotypes}`, `1\t6\t.\tA\tG\t.\t.\t.\tGT${genotypes}`]
    const found = await all(readVcf(bytes(...lines)))
    expect(found.map(({ id }) => id)).toEqual(['1:5:A:C', '1:6:A:G'])
  })

  test.each([
    ['blanks for tabs', '1 5 . A C', 1, /expected chromosome, position/],
    ['four columns', '1\t5\t.\tA', 4, /alternative alleles/],
    ['no chromosome', '\t5\t.\tA\tC', 1, /expected a chromosome/],
    ['a position that is no number', '1\t5e3\t.\tA\tC', 2, /expected a position, found "5e3"/],
    ['a negative position', '1\t-5\t.\tA\tC', 2, /expected a position/],
    ['a reference without letters', '1\t5\t.\t\tC', 4, /found nothing/],
    ['a reference that is no sequence', '1\t5\t.\t<DEL>\tC', 4, /letters of nucleotides, found "<DEL>"/],
    ['an alternative that is no sequence', '1\t5\t.\tA\tC,X1', 5, /letters of nucleotides, found "X1"/],
    ['an empty alternative', '1\t5\t.\tA\tC,,G', 5, /an allele is empty/],
  ])('refuses %s', async (_, line, column, message) => {
    const error = await expectError(
      () => all(readVcf(bytes(...HEADER, RECORDS[0]!, line))),
      'FILE_FORMAT',
      /line 5/,
      message,
    )
    expect(error.details).toMatchObject({ line: 5, column })
  })

  test('names BCF, damaged and missing files', async () => {
    await expectError(() => all(readVcf(gzipSync('BCF\u0002\u0002'))), 'FILE_FORMAT', /bcftools view/)
    const cut = bgzip(bytes(...RECORDS), 100).subarray(0, -28)
    await expectError(() => all(readVcf(cut)), 'FILE_FORMAT', /incomplete bgzip/)
    await expectError(() => all(readVcf('no.vcf')), 'FILE_NOT_FOUND', /no\.vcf/)
  })
})

test('bytes of any kind are variants or an error that names the line', async () => {
  const piece = fc.constantFrom(
    'chr1',
    '\t',
    '\n',
    '7',
    'A',
    'ACG',
    ',',
    '.',
    '*',
    '<X>',
    '[',
    '#',
    '\r',
    '-',
    'é',
    '\0',
  )
  const mostly = (text: string) => fc.oneof({ weight: 9, arbitrary: fc.constant(text) }, piece)
  const line = fc.tuple(...['chr1', '7', 'A', 'ACG', 'T'].map(mostly)).map((cells) => `${cells.join('\t')}\n`)
  const text = fc
    .array(fc.oneof({ weight: 9, arbitrary: line }, piece), { maxLength: 4 })
    .map((pieces) => Buffer.from(pieces.join('')))
  const readers = [readVcf, (source: Buffer) => readVariantList(source, 'chrombpnet')]
  let read = 0
  await fc.assert(
    fc.asyncProperty(text, fc.constantFrom(...readers), async (source, reader) => {
      try {
        for (const { start, allele1 } of await all(reader(source))) {
          read++
          expect(Number.isSafeInteger(start)).toBe(true)
          expect(allele1).toMatch(/^[A-Z]*$/)
        }
      } catch (error) {
        if (!(error instanceof DeepLiftError)) throw error
        expect(error.message).toMatch(/line \d+/)
      }
    }),
    { numRuns: 2000 },
  )
  expect(read).toBeGreaterThan(0)
})

describe('lists of variant-scorer', () => {
  const VARIANT = { chrom: 'chr1', start: 99, allele1: 'A', allele2: '', id: 'rs1' }
  test.each([
    ['chrombpnet', 'chr1\t100\ta\t-\trs1'],
    ['original', 'chr1\t100\trs1\tA\t-'],
    ['plink', 'chr1\trs1\t0\t100\tA\t-'],
    ['bed', 'chr1\t99\t100\tA\t-\trs1'],
  ] as const)('%s', async (schema, line) => {
    expect(await all(readVariantList(bytes(line), schema))).toEqual([{ ...VARIANT, line: 1 }])
    const tables = bytes('chr\tpos\tallele1\tallele2\tvariant_id\tlogfc', '', line)
    expect(await all(readVariantList(gzipSync(tables), schema))).toEqual([{ ...VARIANT, line: 3 }])
  })

  test('name variants that have no name by position and alleles', async () => {
    const [variant] = await all(readVariantList(bytes('chr1\t100\tA\t-\t.'), 'chrombpnet'))
    expect(variant!.id).toBe('chr1:100:A:-')
  })

  test.each([
    ['a column too few', 'chr1\t100\tA\tC', /expected 5 columns/],
    ['a wrong position', 'chr1\tx\tA\tC\trs1', /column 2: expected a position/],
    ['no allele', 'chr1\t100\tA\t<DEL>\trs1', /column 4: expected letters/],
  ])('refuse %s', async (_, line, message) => {
    await expectError(() => all(readVariantList(bytes(line), 'chrombpnet')), 'FILE_FORMAT', /line 1/, message)
  })

  test('refuse an unknown schema', async () => {
    await expectError(() => all(readVariantList(bytes(''), 'vcf' as 'bed')), 'INVALID_OPTION', /'chrombpnet'/)
  })
})
