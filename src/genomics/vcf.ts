/**
 * VCF: a line per record, of which chromosome, 1-based position, names, reference and alternative alleles are read.
 *
 * A record of several alternative alleles is as many variants. Qualities, filters and genotypes are not looked at.
 * The format: https://samtools.github.io/hts-specs/VCFv4.4.pdf, section 1.6.
 */

import { DeepLiftError } from '../errors.js'
import { type ByteSource, sourceName } from '../io/byte-source.js'
import { readLines } from './bed.js'
import {
  alleleKind,
  malformed,
  type Place,
  parseLetters,
  parsePosition,
  quote,
  type Variant,
  variantId,
} from './variant.js'

/** Room for the genotypes of a million samples in one line. */
const MAX_LINE_BYTES = 1 << 26

const COLUMNS = ['chromosome', 'position', 'names', 'reference allele', 'alternative alleles']

/**
 * The variants of a VCF file, plain, gzip or bgzip, in order: one per alternative allele, whatever its kind.
 *
 * ```ts
 * for await (const { chrom, start, allele1, allele2, id } of readVcf('variants.vcf.gz')) console.log(id, start)
 * ```
 *
 * @throws {DeepLiftError} FILE_FORMAT naming file, line and column; FILE_NOT_FOUND
 */
export async function* readVcf(source: ByteSource): AsyncGenerator<Variant> {
  const file = sourceName(source)
  let line = 0
  for await (const text of readLines(source, file, MAX_LINE_BYTES)) {
    line++
    if (line === 1 && text.startsWith('BCF'))
      throw new DeepLiftError('FILE_FORMAT', `${file} is BCF; convert it with: bcftools view -O z ${file}`, {
        details: { file },
      })
    if (text === '' || text.startsWith('#')) continue
    yield* parseRecord(text, { file, line })
  }
}

function* parseRecord(text: string, place: Place): Generator<Variant> {
  const columns = text.split('\t', COLUMNS.length)
  const [chrom, position, id, reference, alternatives] = columns
  if (alternatives === undefined)
    throw malformed(
      place,
      columns.length,
      `expected ${COLUMNS.join(', ')}, separated by tabs; found ${quote(text)}`,
    )
  if (chrom === '') throw malformed(place, 1, 'expected a chromosome, found nothing')
  const start = parsePosition(position, 2, place) - 1
  if (reference === '') throw malformed(place, 4, 'expected letters of nucleotides, found nothing')
  const allele1 = parseLetters(reference!, 4, place)
  for (const alternative of alternatives.split(',')) {
    if (alternative === '') throw malformed(place, 5, `an allele is empty in ${quote(alternatives)}`)
    const allele2 = alleleKind(alternative) ? alternative : parseLetters(alternative, 5, place)
    const named = id !== '' && id !== '.'
    yield {
      chrom: chrom!,
      start,
      allele1,
      allele2,
      id: named ? id! : variantId(chrom!, start, allele1, allele2),
      line: place.line,
    }
  }
}
