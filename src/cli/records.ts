/** The examples of a job: records of a FASTA file, regions of a genome or rows of .npy files, with their references. */

import { DeepLiftError } from '../errors.js'
import { readFasta } from '../genomics/fasta.js'
import type { Genome } from '../genomics/genome.js'
import type { LetterOptions } from '../genomics/letters.js'
import type { Region } from '../genomics/region.js'
import { readBytes } from '../io/byte-source.js'
import { NpyFile } from '../io/npy-read.js'
import { fixedShape, LETTERS, layoutOf } from '../options/layout.js'
import type { InputInfo } from '../options/tensor-info.js'
import type { InputReferences } from '../references.js'
import type { ReferenceArgument } from './arguments.js'
import { checkRowCount, fileReferences, inputRows, type NpyRows, rowsAt } from './npy-rows.js'
import type { ScoredRecord } from './sinks/sink.js'

export interface Examples {
  records: AsyncIterable<ScoredRecord>
  /** Number of examples: at once for .npy, after a look through the file for FASTA, never for stdin. */
  total: Promise<number | undefined>
  references: Record<string, InputReferences>
  close(): Promise<void>
}

/** A FASTA file, or `-` for stdin, and the input that its sequences belong to. */
export interface FastaSource {
  input: string
  path: string
}

/** Windows of a genome, and the input that their sequences belong to. */
export interface RegionSource {
  input: string
  genome: Genome
  regions: AsyncIterable<Region>
  /** Rows of the BED file, dropped ones included: .npy files have as many. */
  rows: number
}

export interface ExampleSettings {
  inputs: readonly InputInfo[]
  fasta?: FastaSource | undefined
  regions?: RegionSource
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
    const rows: NpyRows[] = []
    for (const input of settings.inputs) {
      const path = settings.files.get(input.name)
      if (path !== undefined) rows.push(inputRows(input, await open(path)))
    }
    const examples = exampleCount(rows, settings.regions?.rows)
    const references: Record<string, InputReferences> = {}
    const referenceRows: NpyRows[] = []
    for (const input of settings.inputs) {
      const argument = settings.references.get(input.name)
      if (argument === undefined) continue
      if (typeof argument !== 'object' || !('file' in argument)) {
        references[input.name] = argument
        continue
      }
      const given = await fileReferences(input, await open(argument.file), examples)
      if ('tensor' in given) references[input.name] = { shared: given.tensor }
      else {
        references[input.name] = 'record'
        referenceRows.push(given)
      }
    }
    const found = findRecords(settings, rows, referenceRows, examples)
    return { ...found, references, close }
  } catch (error) {
    await close()
    throw error
  }
}

function exampleCount(rows: readonly NpyRows[], expected: number | undefined): number | undefined {
  const [first] = rows
  const odd = rows.find(({ count }) => count !== first!.count)
  if (odd)
    throw new DeepLiftError(
      'INVALID_INPUT',
      `${first!.file.path} has ${first!.count} rows, ${odd.file.path} has ${odd.count}.`,
    )
  if (expected === undefined) return first?.count
  if (first && first.count !== expected)
    throw new DeepLiftError(
      'INVALID_INPUT',
      `${first.file.path} has ${first.count} rows, one per example; the BED file has ${expected}.`,
    )
  return expected
}

function findRecords(
  settings: ExampleSettings,
  rows: readonly NpyRows[],
  references: readonly NpyRows[],
  examples: number | undefined,
): Pick<Examples, 'records' | 'total'> {
  const { fasta, regions, signal } = settings
  if (regions) return { records: regionRecords(regions, rows, references), total: Promise.resolve(undefined) }
  if (fasta)
    return { records: fastaRecords(fasta, settings, rows, references), total: countRecords(fasta.path) }
  return {
    records: tensorRecords(rows, references, examples!, signal),
    total: Promise.resolve(examples),
  }
}

async function* tensorRecords(
  rows: readonly NpyRows[],
  references: readonly NpyRows[],
  examples: number,
  signal: AbortSignal,
): AsyncGenerator<ScoredRecord> {
  for (let example = 0; example < examples && !signal.aborted; example++)
    yield { inputs: await rowsAt(rows, example), references: await rowsAt(references, example) }
}

async function* regionRecords(
  { input, genome, regions }: RegionSource,
  rows: readonly NpyRows[],
  references: readonly NpyRows[],
): AsyncGenerator<ScoredRecord> {
  for await (const region of regions) {
    const { chrom, start, end, name, row } = region
    const data = await genome.codes(chrom, start, end)
    yield {
      name,
      region,
      inputs: { ...(await rowsAt(rows, row.row)), [input]: { data, shape: [data.length] } },
      references: await rowsAt(references, row.row),
    }
  }
}

async function* fastaRecords(
  { input, path }: FastaSource,
  { inputs, letters, signal }: ExampleSettings,
  rows: readonly NpyRows[],
  references: readonly NpyRows[],
): AsyncGenerator<ScoredRecord> {
  const info = inputs.find(({ name }) => name === input)!
  const length = fixedLength(info)
  const source = path === '-' ? process.stdin : path
  const fasta = {
    ...letters,
    ...(length !== undefined && { length }),
    signal,
    ...(path === '-' && { name: 'stdin' }),
  }
  let example = 0
  for await (const { name, codes } of readFasta(source, fasta)) {
    yield {
      name,
      inputs: { ...(await rowsAt(rows, example)), [input]: { data: codes, shape: [codes.length] } },
      references: await rowsAt(references, example),
    }
    example++
  }
  checkRowCount([...rows, ...references], example)
}

/** The length in bases that the file of the model fixes, so that a wrong record is found at its line. */
export function fixedLength(input: InputInfo): number | undefined {
  const shape = fixedShape(input)
  const layout = shape && layoutOf(input.name, shape)
  return layout?.channelAxis === undefined ? undefined : layout.size / LETTERS
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
