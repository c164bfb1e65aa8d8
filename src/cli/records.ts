/** The records of examples: sequences of a FASTA file, regions of a genome or rows of .npy files, with their references. */

import { DeepLiftError } from '../errors.js'
import { readFasta, type SequenceRecord } from '../genomics/fasta.js'
import type { Genome } from '../genomics/genome.js'
import type { LetterOptions } from '../genomics/letters.js'
import type { Region } from '../genomics/region.js'
import { isFile } from '../io/files.js'
import { NpyFile } from '../io/npy-read.js'
import { fixedShape, LETTERS, layoutOf } from '../options/layout.js'
import type { InputInfo } from '../options/tensor-info.js'
import type { InputReferences } from '../references.js'
import type { ReferenceArgument } from './arguments.js'
import type { Range } from './jobs/job.js'
import { checkRowCount, fileReferences, inputRows, type NpyRows, rowsAt } from './npy-rows.js'
import type { ScoredRecord } from './sinks/sink.js'

export interface Examples {
  /** @param compared Whether records bring their references. */
  records(range: Range, compared: boolean): AsyncIterable<ScoredRecord>
  /** Rows of .npy files; undefined without any. */
  rows: number | undefined
  /** Refuses files that have other than `examples` rows. */
  checkRows(examples: number): void
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
  regions(range: Range): AsyncIterable<Region>
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
    const records = (range: Range, compared: boolean) =>
      findRecords(settings, rows, compared ? referenceRows : [], range)
    const checkRows = checkRowCount.bind(undefined, [...rows, ...referenceRows])
    return { records, rows: rows[0]?.count, checkRows, references, close }
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
  range: Range,
): AsyncIterable<ScoredRecord> {
  const { fasta, regions, signal } = settings
  if (regions) return regionRecords(regions, rows, references, range)
  if (fasta) return fastaRecords(fasta, settings, rows, references, range)
  return tensorRecords(rows, references, range, signal)
}

async function* tensorRecords(
  rows: readonly NpyRows[],
  references: readonly NpyRows[],
  { first, end }: Range,
  signal: AbortSignal,
): AsyncGenerator<ScoredRecord> {
  const last = Math.min(end, rows[0]!.count)
  for (let example = first; example < last && !signal.aborted; example++)
    yield { inputs: await rowsAt(rows, example), references: await rowsAt(references, example) }
}

async function* regionRecords(
  { input, genome, regions }: RegionSource,
  rows: readonly NpyRows[],
  references: readonly NpyRows[],
  range: Range,
): AsyncGenerator<ScoredRecord> {
  for await (const region of regions(range)) {
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
  { first, end }: Range,
): AsyncGenerator<ScoredRecord> {
  let example = 0
  for await (const { name, codes } of sequencesOf({ input, path }, inputs, letters, signal)) {
    if (example >= end) return
    if (example >= first)
      yield {
        name,
        inputs: { ...(await rowsAt(rows, example)), [input]: { data: codes, shape: [codes.length] } },
        references: await rowsAt(references, example),
      }
    example++
  }
  checkRowCount([...rows, ...references], example)
}

function sequencesOf(
  { input, path }: FastaSource,
  inputs: readonly InputInfo[],
  letters: LetterOptions,
  signal: AbortSignal,
): AsyncGenerator<SequenceRecord> {
  const length = fixedLength(inputs.find(({ name }) => name === input)!)
  const piped = path === '-'
  return readFasta(piped ? process.stdin : path, {
    ...letters,
    ...(length !== undefined && { length }),
    signal,
    ...(piped && { name: 'stdin' }),
  })
}

/**
 * One look through the sequences of a file, so that a wrong one is found before anything is computed.
 *
 * @returns their number; undefined for a pipe, which can be read only once
 */
export async function countSequences(
  fasta: FastaSource,
  { inputs, letters, signal }: ExampleSettings,
): Promise<number | undefined> {
  if (fasta.path === '-' || !(await isFile(fasta.path))) return undefined
  let count = 0
  const sequences = sequencesOf(fasta, inputs, letters, signal)
  while (!(await sequences.next()).done) count++
  return count
}

/** The length in bases that the file of the model fixes, so that a wrong record is found at its line. */
function fixedLength(input: InputInfo): number | undefined {
  const shape = fixedShape(input)
  const layout = shape && layoutOf(input.name, shape)
  return layout?.channelAxis === undefined ? undefined : layout.size / LETTERS
}
