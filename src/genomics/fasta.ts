/**
 * FASTA: records of a header line that starts with `>` and lines of letters.
 *
 * Read in one pass, in chunks: memory is one record. Lines may end in LF or CRLF; blank lines are skipped.
 */

import { DeepLiftError } from '../errors.js'
import { type ByteSource, isByteSource, readBytes, sourceName } from '../io/byte-source.js'
import { explainRefusal, type LetterOptions, letterTable, REFUSED } from './letters.js'

export interface SequenceRecord {
  /** The first word of the header. */
  name: string
  /** What follows the name in the header, or an empty string. */
  description: string
  /** One byte per base: A 0, C 1, G 2, T 3, unknown 4. */
  codes: Uint8Array
  /** The 1-based line of the header. */
  line: number
}

export interface FastaOptions extends LetterOptions {
  /** Length in bases that every record must have, such as the length of a model's input. */
  length?: number
  /** How errors name the source; by default its path. */
  name?: string
  signal?: AbortSignal
}

const LF = 10
const CR = 13
const HEADER = 62

/** A header beyond this is not one: the file has no line ends, or is not FASTA. */
const MAX_HEADER_BYTES = 1 << 20

/**
 * The records of a FASTA file, plain, gzip or bgzip, in order.
 *
 * ```ts
 * for await (const { name, codes } of readFasta('peaks.fa.gz', { length: 2114 })) console.log(name, codes)
 * ```
 *
 * @throws {DeepLiftError} INVALID_SEQUENCE naming file, record, line and column for letters that are not read, a
 *   wrong length or a record without bases; FILE_FORMAT for a file that is not FASTA or not complete;
 *   FILE_NOT_FOUND; ABORTED. INVALID_INPUT and INVALID_OPTION are thrown by the call itself.
 */
export function readFasta(source: ByteSource, options: FastaOptions = {}): AsyncGenerator<SequenceRecord> {
  if (!isByteSource(source))
    throw new DeepLiftError(
      'INVALID_INPUT',
      'readFasta takes a path, a file URL, bytes, or a stream of bytes.',
    )
  const { length, name = sourceName(source), signal } = options
  if (length !== undefined && !(Number.isSafeInteger(length) && length > 0))
    throw new DeepLiftError('INVALID_OPTION', `length is a positive whole number of bases, not ${length}.`)
  return records(source, new FastaParser(name, letterTable(options), length), signal)
}

async function* records(
  source: ByteSource,
  parser: FastaParser,
  signal: AbortSignal | undefined,
): AsyncGenerator<SequenceRecord> {
  throwIfAborted(signal, parser)
  for await (const chunk of readBytes(source)) {
    throwIfAborted(signal, parser)
    yield* parser.push(chunk)
  }
  yield* parser.end()
}

function throwIfAborted(signal: AbortSignal | undefined, { file, line }: FastaParser): void {
  if (signal?.aborted)
    throw new DeepLiftError('ABORTED', `Reading ${file} was aborted at line ${line}.`, {
      cause: signal.reason,
    })
}

class FastaParser {
  /** 1-based line of the next byte. */
  line = 1
  /** Bytes of the current line already seen. */
  #column = 0
  /** The pieces of a header line that is not complete yet. */
  #header: Buffer[] | undefined
  #record: { name: string; description: string; line: number } | undefined
  #codes: Uint8Array
  #length = 0
  /** Whether the last byte seen was a CR that is only right if the line ends here. */
  #carriageReturn = false

  constructor(
    readonly file: string,
    private readonly table: Uint8Array,
    private readonly expectedLength: number | undefined,
  ) {
    this.#codes = new Uint8Array(expectedLength ?? 1024)
  }

  *push(bytes: Uint8Array): Generator<SequenceRecord> {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let start = 0
    while (start < chunk.length) {
      const newline = chunk.indexOf(LF, start)
      const end = newline < 0 ? chunk.length : newline
      if (this.#column === 0 && chunk[start] === HEADER) {
        if (this.#record) yield this.#finish()
        this.#header = []
      }
      if (this.#header) this.#addHeader(chunk.subarray(start, end))
      else this.#addLetters(chunk.subarray(start, end))
      this.#column += end - start
      if (newline >= 0) this.#endLine()
      start = end + 1
    }
  }

  *end(): Generator<SequenceRecord> {
    this.#endLine()
    if (!this.#record) throw this.#problem('FILE_FORMAT', 'has no records: FASTA records start with ">"')
    yield this.#finish()
  }

  #endLine(): void {
    if (this.#header) this.#startRecord(Buffer.concat(this.#header))
    this.#header = undefined
    this.#carriageReturn = false
    this.#column = 0
    this.line++
  }

  #addHeader(piece: Buffer): void {
    if (this.#column + piece.length > MAX_HEADER_BYTES)
      throw this.#problem(
        'FILE_FORMAT',
        `line ${this.line}: the header is longer than ${MAX_HEADER_BYTES} bytes`,
      )
    // Copied: the chunk belongs to its stream and may be reused.
    this.#header!.push(Buffer.from(piece))
  }

  #startRecord(header: Buffer): void {
    const text = header.toString('utf8', 1).trim()
    const [, name = '', description = ''] = /^(\S*)\s*(.*)$/.exec(text) ?? []
    this.#record = { name, description, line: this.line }
    this.#length = 0
    if (name === '')
      throw this.#problem('INVALID_SEQUENCE', `line ${this.line}: the record has no name after ">"`)
  }

  #addLetters(letters: Buffer): void {
    if (letters.length === 0) return
    if (this.#carriageReturn) throw this.#refuse(CR, this.#column - 1)
    const { table } = this
    if (!this.#record) {
      this.#checkBlank(letters)
      return
    }
    this.#carriageReturn = letters[letters.length - 1] === CR
    const count = letters.length - (this.#carriageReturn ? 1 : 0)
    // Letters beyond the expected length are counted and checked, not kept.
    const kept = this.#reserve(count)
    const codes = this.#codes
    let to = this.#length
    for (let i = 0; i < count; i++) {
      const code = table[letters[i]!]!
      if (code === REFUSED) throw this.#refuse(letters[i]!, this.#column + i)
      if (i < kept) codes[to++] = code
    }
    this.#length += count
  }

  /** Before the first record only blank lines and a byte order mark are overlooked. */
  #checkBlank(letters: Buffer): void {
    const text = letters.toString('latin1')
    if (this.line === 1 && this.#column === 0 && text.startsWith('\xef\xbb\xbf'))
      throw this.#problem('FILE_FORMAT', 'starts with a byte order mark; save it as plain text (ASCII)')
    if (text.trim() !== '')
      throw this.#problem(
        'FILE_FORMAT',
        `line ${this.line}: expected ">" before any sequence, found ${JSON.stringify(text.slice(0, 20))}`,
      )
  }

  /** Makes room for `count` more codes and returns how many of them are kept. */
  #reserve(count: number): number {
    const { expectedLength } = this
    if (expectedLength !== undefined) return Math.max(0, Math.min(count, expectedLength - this.#length))
    if (this.#length + count > this.#codes.length) {
      const grown = new Uint8Array(Math.max(this.#length + count, 2 * this.#codes.length))
      grown.set(this.#codes.subarray(0, this.#length))
      this.#codes = grown
    }
    return count
  }

  #finish(): SequenceRecord {
    const { name, description, line } = this.#record!
    const { expectedLength } = this
    const length = this.#length
    const where = `record ${JSON.stringify(name)} (line ${line})`
    if (length === 0) throw this.#problem('INVALID_SEQUENCE', `${where} has no bases`, { line })
    if (expectedLength !== undefined && length !== expectedLength)
      throw this.#problem('INVALID_SEQUENCE', `${where} has ${length} bases; ${expectedLength} are needed`, {
        expected: expectedLength,
        found: length,
        line,
      })
    this.#record = undefined
    return { name, description, codes: this.#codes.slice(0, length), line }
  }

  /** @param offset 0-based position in the current line. */
  #refuse(byte: number, offset: number): DeepLiftError {
    const { name } = this.#record!
    const column = offset + 1
    return this.#problem(
      'INVALID_SEQUENCE',
      `record ${JSON.stringify(name)}, line ${this.line}, column ${column}: found ${explainRefusal(byte)}`,
      { column, letter: String.fromCharCode(byte) },
    )
  }

  #problem(
    code: 'FILE_FORMAT' | 'INVALID_SEQUENCE',
    problem: string,
    details: Record<string, unknown> = {},
  ): DeepLiftError {
    const record = this.#record?.name
    return new DeepLiftError(code, `${this.file}: ${problem}.`, {
      details: { file: this.file, record, line: this.line, ...details },
    })
  }
}
