import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Alleles, allelesOf, type Edges, Genome, type Lowercase, type Variant } from '../../src/index.js'
import { expectError } from '../support/errors.js'
import { fastaOf } from '../support/genome.js'
import { randomCodes } from '../support/models.js'

const letters = (codes: Iterable<number>) => Array.from(codes, (code) => 'ACGTN'[code]).join('')
//                 0         1         2         3
//                 0123456789012345678901234567890123456789
const CHR1 = 'ACGTTGCAAGGCTTACCGNNATCGGATTACAacgtacgtAA'
const CHR2 = letters(randomCodes(200, 5))
const CHROMOSOMES: Record<string, string> = { chr1: CHR1, chr2: CHR2 }

let folder: string
const genomes = {} as Record<Lowercase, Genome>
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-alleles-'))
  await writeFile(join(folder, 'g.fa'), fastaOf(CHROMOSOMES, 17))
  for (const lowercase of ['upper', 'unknown'] as const)
    genomes[lowercase] = await Genome.open(join(folder, 'g.fa'), { lowercase })
})
afterAll(async () => {
  for (const genome of Object.values(genomes)) await genome.close()
  await rm(folder, { recursive: true })
})

function variant(chrom: string, start: number, allele1: string, allele2: string): Variant {
  return { chrom, start, allele1, allele2, id: 'v', line: 1 }
}

async function windows(
  of: Variant,
  length: number,
  edges: Edges = 'drop',
  lowercase: Lowercase = 'upper',
): Promise<[string, string, number]> {
  const found = await allelesOf(of, genomes[lowercase], { length, edges })
  if ('skipped' in found) expect.fail(`skipped: ${found.why}`)
  return [letters(found.allele1), letters(found.allele2), found.start]
}

describe('windows by hand', () => {
  test.each([
    // The genome has CAAGGCTTACCG from position 6 on.
    ['a substitution', variant('chr1', 10, 'G', 'T'), 8, 6, 'CAAGGCTT', 'CAAGTCTT'],
    ['of odd length', variant('chr1', 10, 'G', 'T'), 7, 7, 'AAGGCTT', 'AAGTCTT'],
    ['of several bases', variant('chr1', 10, 'GC', 'TT'), 8, 6, 'CAAGGCTT', 'CAAGTTTT'],
    ['an insertion', variant('chr1', 10, 'G', 'GTT'), 8, 6, 'CAAGGCTT', 'CAAGGTTC'],
    ['a deletion', variant('chr1', 10, 'GCT', 'G'), 8, 6, 'CAAGGCTT', 'CAAGGTAC'],
    ['a deletion without its neighbour', variant('chr1', 11, 'CT', ''), 8, 7, 'AAGGCTTA', 'AAGGTACC'],
    ['an insertion without its neighbour', variant('chr1', 11, '', 'TT'), 8, 7, 'AAGGCTTA', 'AAGGTTCT'],
    ['a window of one base', variant('chr1', 0, 'A', 'T'), 1, 0, 'A', 'T'],
    ['the first of a chromosome', variant('chr1', 4, 'T', 'A'), 8, 0, 'ACGTTGCA', 'ACGTAGCA'],
    ['the last of a chromosome', variant('chr1', 37, 'G', 'T'), 8, 33, 'GTACGTAA', 'GTACTTAA'],
  ])('%s', async (_, of, length, start, first, second) => {
    expect(await windows(of, length)).toEqual([first, second, start])
  })
})

/** The chromosome with the allele in it, and the window of it; N beyond its edges. */
function naive({ chrom, start, allele1, allele2 }: Variant, length: number): [string, string] {
  const chromosome = CHROMOSOMES[chrom]!.toUpperCase()
  const edited = chromosome.slice(0, start) + allele2 + chromosome.slice(start + allele1.length)
  const from = start - Math.floor(length / 2)
  const cut = (text: string) => Array.from({ length }, (_, index) => text[from + index] ?? 'N').join('')
  return [cut(chromosome), cut(edited)]
}

test('are those of a chromosome that is edited as a whole, padded or not, and dropped just over edges', async () => {
  const bases = fc.array(fc.constantFrom('A', 'C', 'G', 'T'), { maxLength: 9 }).map((all) => all.join(''))
  await fc.assert(
    fc.asyncProperty(
      fc.nat(CHR2.length - 1),
      fc.nat(9),
      bases,
      fc.integer({ min: 1, max: 60 }),
      async (start, deleted, allele2, length) => {
        const allele1 = CHR2.slice(start, start + deleted)
        const of = variant('chr2', start, allele1, allele2)
        const padded = await allelesOf(of, genomes.upper, { length, edges: 'pad' })
        const dropped = await allelesOf(of, genomes.upper, { length, edges: 'drop' })
        if (Math.max(allele1.length, allele2.length) > length - Math.floor(length / 2)) {
          expect([padded, dropped]).toMatchObject([{ skipped: 'long' }, { skipped: 'long' }])
          return
        }
        const { allele1: first, allele2: second } = padded as Alleles
        const expected = naive(of, length)
        expect([letters(first), letters(second)]).toEqual(expected)
        const edge = expected.some((text) => text.includes('N'))
        if (edge) expect(dropped).toMatchObject({ skipped: 'edge' })
        else expect(dropped).toEqual(padded)
      },
    ),
    { numRuns: 500 },
  )
})

describe('policies', () => {
  test('lower case is a base like others, or unknown and agrees with any letter', async () => {
    const of = variant('chr1', 34, 'T', 'C')
    expect((await windows(of, 6)).slice(0, 2)).toEqual(['ACGTAC', 'ACGCAC'])
    expect((await windows(of, 6, 'drop', 'unknown')).slice(0, 2)).toEqual(['NNNTNN', 'NNNCNN'])
  })

  test('unknown bases of the genome agree with any letter, those of the allele only with them', async () => {
    expect((await windows(variant('chr1', 18, 'GA', 'C'), 4)).slice(0, 2)).toEqual(['CGGA', 'CGCA'])
    const unknown = await allelesOf(variant('chr1', 0, 'N', 'C'), genomes.upper, { length: 4, edges: 'pad' })
    expect(unknown).toMatchObject({ skipped: 'mismatch' })
  })

  test.each([
    ['another base', variant('chr1', 3, 'A', 'C'), 'mismatch', /allele 1 is "A", the genome has "T"/],
    ['over the end', variant('chr1', 40, 'AA', 'A'), 'mismatch', /the genome has 41 bases on chr1/],
    ['before the start', variant('chr1', -1, 'A', 'C'), 'mismatch', /41 bases/],
    ['<DEL>', variant('chr1', 3, 'T', '<DEL>'), 'symbolic', /"<DEL>" is not written in letters/],
    ['a breakend', variant('chr1', 3, 'T', 'T[chr2:5['), 'breakend', /not written/],
    ['*', variant('chr1', 3, 'T', '*'), 'overlapping', /not written/],
    ['no alternative', variant('chr1', 3, 'T', '.'), 'missing', /not written/],
    [
      'a long insertion',
      variant('chr1', 20, 'A', 'ACGTACGTA'),
      'long',
      /has 9 bases; a window has room for 4/,
    ],
    ['an edge on the left', variant('chr1', 3, 'T', 'C'), 'edge', /which has 41 bases/],
  ])('skipped with a reason: %s', async (_, of, skipped, why) => {
    const found = await allelesOf(of, genomes.upper, { length: 8, edges: 'drop' })
    expect(found).toEqual({ variant: of, skipped, why: expect.stringMatching(why) })
  })

  test('a chromosome that the genome does not have is an error', async () =>
    await expectError(
      () =>
        allelesOf(variant('1', 3, 'T', 'C'), genomes.upper, {
          length: 8,
          edges: 'drop',
          where: 'v.vcf, line 7',
        }),
      'INVALID_SEQUENCE',
      /v\.vcf, line 7: .*no chromosome "1".*It has "chr1"/,
    ))
})
