/**
 * BED: rows of chromosome, start and end, then name, score and strand if there are any; with exactly 10 columns
 * narrowPeak, whose last is the summit counted from the start, or -1.
 *
 * Columns are separated by tabs, or by blanks in files without tabs. Blank lines, comments (`#`) and the lines
 * `track` and `browser` are skipped. The format: https://samtools.github.io/hts-specs/BEDv1.pdf.
 */

import { DeepLiftError } from '../errors.js'
import { type ByteSource, readBytes, sourceName } from '../io/byte-source.js'
import type { BedRow, Strand } from './region.js'

const NARROW_PEAK_COLUMNS = 10
const SUMMIT_COLUMN = 9

/** A line beyond this is no row: the file has no line ends, or is not text. */
const MAX_LINE_BYTES = 1 << 20

/**
 * The rows of a BED or narrowPeak file, plain, gzip or bgzip, in order. Memory is one chunk of the file.
 *
 * @throws {DeepLiftError} FILE_FORMAT naming file, line and column; FILE_NOT_FOUND
 */
export async function* readBed(source: ByteSource): AsyncGenerator<BedRow> {
  const file = sourceName(source)
  let line = 0
  let row = 0
  for await (const text of readLines(source, file)) {
    line++
    if (isSkipped(text)) continue
    yield parseBedRow(text, { file, line, row })
    row++
  }
}

/** Lines without their ends, which are LF or CRLF. @throws {DeepLiftError} FILE_FORMAT for a longer line */
export async function* readLines(
  source: ByteSource,
  file: string,
  maxBytes = MAX_LINE_BYTES,
): AsyncGenerator<string> {
  let rest = Buffer.alloc(0)
  let count = 0
  for await (const bytes of readBytes(source)) {
    const chunk = Buffer.concat([rest, bytes])
    let start = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      count++
      yield withoutReturn(chunk.toString('utf8', start, end))
      start = end + 1
    }
    // Copied: the chunk belongs to its stream and may be reused.
    rest = Buffer.from(chunk.subarray(start))
    if (rest.length > maxBytes)
      throw new DeepLiftError(
        'FILE_FORMAT',
        `${file}, line ${count + 1}: longer than ${maxBytes} bytes; this is not a file of lines.`,
        { details: { file, line: count + 1 } },
      )
  }
  if (rest.length > 0) yield withoutReturn(rest.toString('utf8'))
}

function withoutReturn(text: string): string {
  return text.endsWith('\r') ? text.slice(0, -1) : text
}

function isSkipped(text: string): boolean {
  return text.trim() === '' || text.startsWith('#') || /^(track|browser)(\s|$)/.test(text)
}

/** @param where The place that errors name. */
export function parseBedRow(text: string, where: { file: string; line: number; row: number }): BedRow {
  const columns = text.includes('\t') ? text.split('\t') : text.trim().split(/ +/)
  const [chrom, from, to, name, , strand] = columns
  if (columns.length < 3 || chrom === '')
    throw problem(where, 1, `expected chromosome, start and end, found ${JSON.stringify(text.slice(0, 80))}`)
  const start = position(from!, 2, where)
  const end = position(to!, 3, where)
  if (end < start) throw problem(where, 3, `the end ${end} lies before the start ${start}`)
  return {
    chrom: chrom!,
    start,
    end,
    name: name === undefined || name === '.' || name === '' ? undefined : name,
    strand: strand === '+' || strand === '-' ? (strand satisfies Strand) : '.',
    summit: summitOf(columns, start, end, where),
    line: where.line,
    row: where.row,
    text,
  }
}

function summitOf(
  columns: readonly string[],
  start: number,
  end: number,
  where: { file: string; line: number },
): number {
  const middle = Math.floor((start + end) / 2)
  if (columns.length !== NARROW_PEAK_COLUMNS) return middle
  const text = columns[SUMMIT_COLUMN]!
  if (text === '-1') return middle
  const offset = position(text, SUMMIT_COLUMN + 1, where)
  if (start + offset > end)
    throw problem(
      where,
      SUMMIT_COLUMN + 1,
      `the summit ${offset} is counted from the start and lies beyond the end of the row, which is ${end - start} long`,
    )
  return start + offset
}

function position(text: string, column: number, where: { file: string; line: number }): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw problem(where, column, `expected a whole number, found ${JSON.stringify(text.slice(0, 40))}`)
  return value
}

function problem(
  { file, line }: { file: string; line: number },
  column: number,
  message: string,
): DeepLiftError {
  return new DeepLiftError('FILE_FORMAT', `${file}, line ${line}, column ${column}: ${message}.`, {
    details: { file, line, column },
  })
}
