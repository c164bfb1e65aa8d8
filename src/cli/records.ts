/** The examples of a job: records of a FASTA file, or rows of .npy files, with rows of reference files. */

import { DeepLiftError } from '../errors.js'
import { readFasta } from '../genomics/fasta.js'
import type { LetterOptions } from '../genomics/letters.js'
import { readBytes } from '../io/byte-source.js'
import { NpyFile } from '../io/npy-read.js'
import { fixedShape, LETTERS, layoutOf } from '../options/layout.js'
import type { InputInfo } from '../options/tensor-info.js'
import type { TensorRecord } from '../records.js'
import type { InputReferences } from '../references.js'
import { showShape, sizeOf, type Tensor } from '../tensor.js'
import type { ReferenceArgument } from './arguments.js'
import { tensorData } from './values.js'

export interface Examples {
  records: AsyncIterable<TensorRecord>
  /** Number of examples: at once for .npy, after a look through the file for FASTA, never for stdin. */
  total: Promise<number | undefined>
  references: Record<string, InputReferences>
  close(): Promise<void>
}

/** Rows read at once from a .npy file: few, so that memory stays small; not one, so that reading stays fast. */
const BYTES_PER_READ = 1 << 20

interface RowReader {
  name: string
  file: NpyFile
  rowShape: number[]
  codes: boolean
}

/** A FASTA file, or `-` for stdin, and the input that its sequences belong to. */
export interface FastaSource {
  input: string
  path: string
}

export interface ExampleSettings {
  inputs: readonly InputInfo[]
  fasta: FastaSource | undefined
  /** Path of a .npy file by input name. */
  files: ReadonlyMap<string, string>
  references: ReadonlyMap<string, ReferenceArgument>
  letters: LetterOptions
  signal: AbortSignal
}

export async function openExamples(settings: ExampleSettings): Promise<Examples> {
  const opened: NpyFile[] = []
  const open = async (path: string) => {
    const file = await NpyFile.open(path)
    opened.push(file)
    return file
  }
  const close = async () => {
    for (const file of opened) await file.close()
  }
  try {
    const rows: RowReader[] = []
    for (const input of settings.inputs) {
      const path = settings.files.get(input.name)
      if (path !== undefined) rows.push(inputRows(input, await open(path)))
    }
    const examples = rowCount(rows)
    const references: Record<string, InputReferences> = {}
    const referenceRows: RowReader[] = []
    for (const input of settings.inputs) {
      const argument = settings.references.get(input.name)
      if (argument === undefined) continue
      if (typeof argument !== 'object' || !('file' in argument)) {
        references[input.name] = argument
        continue
      }
      const file = await open(argument.file)
      const given = await fileReferences(input, file, examples)
      if ('tensor' in given) references[input.name] = { shared: given.tensor }
      else {
        references[input.name] = 'record'
        referenceRows.push(given)
      }
    }
    const records = settings.fasta
      ? fastaRecords(settings.fasta, settings, rows, referenceRows)
      : tensorRecords(rows, referenceRows, examples!, settings.signal)
    const total = settings.fasta ? countRecords(settings.fasta.path) : Promise.resolve(examples)
    return { records, total, references, close }
  } catch (error) {
    await close()
    throw error
  }
}

function inputRows({ name, shape }: InputInfo, file: NpyFile): RowReader {
  const codes = isInteger(file) && file.shape.length === 2 && shape.length > 2
  const rank = codes ? 2 : shape.length
  if (file.shape.length !== rank)
    throw new DeepLiftError(
      'INVALID_INPUT',
      `${file.path}: input ${JSON.stringify(name)} takes the shape ${showShape(shape)}, the file has ` +
        `${showShape(file.shape)}.`,
    )
  return { name, file, rowShape: file.shape.slice(1), codes }
}

function isInteger({ dtype }: NpyFile): boolean {
  return !dtype.startsWith('float') && dtype !== 'string'
}

function rowCount(rows: readonly RowReader[]): number | undefined {
  const [first] = rows
  const odd = rows.find(({ file }) => file.shape[0] !== first!.file.shape[0])
  if (odd)
    throw new DeepLiftError(
      'INVALID_INPUT',
      `${first!.file.path} has ${first!.file.shape[0]} rows, ${odd.file.path} has ${odd.file.shape[0]}.`,
    )
  return first?.file.shape[0]
}

/**
 * References of a file, by its shape: `[n, R, …]` and `[n, …]` are per example, `[R, …]` and `[…]` shared by all.
 */
async function fileReferences(
  { name, shape }: InputInfo,
  file: NpyFile,
  examples: number | undefined,
): Promise<RowReader | { tensor: Tensor }> {
  const example = shape.slice(1)
  const fits = (axes: readonly number[]) =>
    axes.length === example.length &&
    axes.every((extent, axis) => typeof example[axis] !== 'number' || example[axis] === extent)
  const axes = file.shape
  const extra = axes.length - example.length
  if (extra < 0 || extra > 2 || !fits(axes.slice(extra)))
    throw new DeepLiftError(
      'INVALID_INPUT',
      `${file.path}: references of input ${JSON.stringify(name)} have the shape ${showShape(example)}, with one axis ` +
        `of references or of examples before it, or [examples, references, …]; the file has ${showShape(axes)}.`,
    )
  const perExample = extra === 2 || (extra === 1 && axes[0] === examples && examples !== 1)
  if (!perExample)
    return { tensor: { data: tensorData(await file.readAll(), false, file.path), shape: axes } }
  if (examples !== undefined && axes[0] !== examples)
    throw new DeepLiftError(
      'INVALID_INPUT',
      `${file.path} has references for ${axes[0]} examples; there are ${examples}.`,
    )
  return { name, file, rowShape: axes.slice(1), codes: false }
}

/** Rows one after the other, read some at a time. */
async function* rowsOf({ file, rowShape, codes }: RowReader): AsyncGenerator<Tensor> {
  const rows = file.shape[0]!
  const size = sizeOf(rowShape)
  const step = Math.max(1, Math.floor(BYTES_PER_READ / (4 * Math.max(1, size))))
  for (let first = 0; first < rows; first += step) {
    const end = Math.min(rows, first + step)
    const data = tensorData(await file.readRows(first, end), codes, file.path)
    for (let row = 0; row < end - first; row++)
      yield { data: data.subarray(row * size, (row + 1) * size), shape: rowShape }
  }
}

/** The next row of each reader, by input name; all have as many rows as there are examples. */
class RowsInStep {
  readonly #iterators: { reader: RowReader; rows: AsyncGenerator<Tensor> }[]
  #examples = 0

  constructor(readers: readonly RowReader[]) {
    this.#iterators = readers.map((reader) => ({ reader, rows: rowsOf(reader) }))
  }

  async next(): Promise<Record<string, Tensor>> {
    const found: Record<string, Tensor> = {}
    for (const { reader, rows } of this.#iterators) {
      const { value, done } = await rows.next()
      if (done)
        throw new DeepLiftError(
          'INVALID_INPUT',
          `${reader.file.path} has ${reader.file.shape[0]} rows, one per example; there are more examples.`,
        )
      found[reader.name] = value
    }
    this.#examples++
    return found
  }

  /** To be called after the last example. */
  finish(): void {
    const odd = this.#iterators.find(({ reader }) => reader.file.shape[0] !== this.#examples)
    if (odd)
      throw new DeepLiftError(
        'INVALID_INPUT',
        `${odd.reader.file.path} has ${odd.reader.file.shape[0]} rows, one per example; there are ${this.#examples} ` +
          'examples.',
      )
  }
}

async function* tensorRecords(
  rows: readonly RowReader[],
  references: readonly RowReader[],
  examples: number,
  signal: AbortSignal,
): AsyncGenerator<TensorRecord> {
  const inputs = new RowsInStep(rows)
  const referenceRows = new RowsInStep(references)
  for (let example = 0; example < examples && !signal.aborted; example++)
    yield { inputs: await inputs.next(), references: await referenceRows.next() }
}

async function* fastaRecords(
  { input, path }: FastaSource,
  { inputs, letters, signal }: ExampleSettings,
  rows: readonly RowReader[],
  references: readonly RowReader[],
): AsyncGenerator<TensorRecord> {
  const info = inputs.find(({ name }) => name === input)!
  const otherRows = new RowsInStep(rows)
  const referenceRows = new RowsInStep(references)
  const source = path === '-' ? process.stdin : path
  const fasta = { ...letters, ...lengthOf(info), signal, ...(path === '-' && { name: 'stdin' }) }
  for await (const { name, codes } of readFasta(source, fasta))
    yield {
      name,
      inputs: { ...(await otherRows.next()), [input]: { data: codes, shape: [codes.length] } },
      references: await referenceRows.next(),
    }
  otherRows.finish()
  referenceRows.finish()
}

/** The length that the file of the model fixes, so that a wrong record is found at its line. */
function lengthOf(input: InputInfo): { length?: number } {
  const shape = fixedShape(input)
  const layout = shape && layoutOf(input.name, shape)
  return layout?.channelAxis === undefined ? {} : { length: layout.size / LETTERS }
}

/** Headers in a file, for the progress; undefined if it cannot be read twice. */
async function countRecords(path: string): Promise<number | undefined> {
  if (path === '-') return undefined
  const [LF, HEADER] = [10, 62]
  let count = 0
  let lineStart = true
  try {
    for await (const bytes of readBytes(path)) {
      const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      if (lineStart && chunk[0] === HEADER) count++
      for (let at = chunk.indexOf('\n>'); at >= 0; at = chunk.indexOf('\n>', at + 1)) count++
      lineStart = chunk[chunk.length - 1] === LF
    }
    return count
  } catch {
    // Whoever reads the records meets the same problem and can say where it is.
    return undefined
  }
}
