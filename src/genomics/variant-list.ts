/**
 * Lists of variants as variant-scorer reads them: columns separated by tabs, `-` for an allele without letters.
 *
 * - `chrombpnet`: chr, pos, allele1, allele2, variant_id
 * - `original`: chr, pos, variant_id, allele1, allele2
 * - `plink`: chr, variant_id, (ignored), pos, allele1, allele2
 * - `bed`: chr, start, end, allele1, allele2, variant_id, whose start is 0-based; the other positions are 1-based
 */

import { type ByteSource, sourceName } from '../io/byte-source.js'
import { checkChoice } from '../options/check.js'
import { readLines } from './bed.js'
import {
  malformed,
  type Place,
  parseLetters,
  parsePosition,
  quote,
  type Variant,
  variantId,
} from './variant.js'

interface Schema {
  /** Number of the column, from 0. */
  position: number
  /** What the file calls the first base of a chromosome. */
  firstBase: 0 | 1
  allele1: number
  allele2: number
  id: number
}

const SCHEMAS = {
  chrombpnet: { position: 1, firstBase: 1, allele1: 2, allele2: 3, id: 4 },
  original: { position: 1, firstBase: 1, id: 2, allele1: 3, allele2: 4 },
  plink: { id: 1, position: 3, firstBase: 1, allele1: 4, allele2: 5 },
  bed: { position: 1, firstBase: 0, allele1: 3, allele2: 4, id: 5 },
} as const satisfies Record<string, Schema>

export type VariantSchema = keyof typeof SCHEMAS
export const VARIANT_SCHEMAS = Object.keys(SCHEMAS) as VariantSchema[]

/**
 * The variants of a list, plain, gzip or bgzip, in order. A first line that names its columns is skipped.
 *
 * @throws {DeepLiftError} FILE_FORMAT naming file, line and column; FILE_NOT_FOUND; INVALID_OPTION
 */
export async function* readVariantList(source: ByteSource, schema: VariantSchema): AsyncGenerator<Variant> {
  const file = sourceName(source)
  const columns = SCHEMAS[checkChoice(schema, VARIANT_SCHEMAS, 'readVariantList: schema')]
  let line = 0
  for await (const text of readLines(source, file)) {
    line++
    if (text === '' || text.startsWith('#') || (line === 1 && isHeader(text))) continue
    yield parseRow(text, columns, { file, line })
  }
}

/** `chr` and `pos` as names of columns are those of the tables that scores are written to. */
function isHeader(text: string): boolean {
  return /^chr(om)?\t/.test(text)
}

function parseRow(text: string, schema: Schema, place: Place): Variant {
  const columns = text.split('\t')
  const last = Math.max(schema.allele2, schema.id)
  if (columns.length <= last || columns[0] === '')
    throw malformed(place, columns.length, `expected ${last + 1} columns, found ${quote(text)}`)
  const chrom = columns[0]!
  const start = parsePosition(columns[schema.position], schema.position + 1, place) - schema.firstBase
  const letters = (column: number) =>
    columns[column] === '-' ? '' : parseLetters(columns[column]!, column + 1, place)
  const [allele1, allele2] = [letters(schema.allele1), letters(schema.allele2)]
  const id = columns[schema.id]!
  const named = id !== '' && id !== '.'
  return {
    chrom,
    start,
    allele1,
    allele2,
    id: named ? id : variantId(chrom, start, allele1, allele2),
    line: place.line,
  }
}
