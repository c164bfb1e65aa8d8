/** Windows of a genome around the rows of a BED file: those that are there, and why others are not. */

import { createHash } from 'node:crypto'
import { DeepLiftError } from '../errors.js'
import { readBed } from '../genomics/bed.js'
import type { Genome } from '../genomics/genome.js'
import {
  type BedRow,
  DROP_REASONS,
  type DropReason,
  type Edges,
  type Region,
  windowOf,
} from '../genomics/region.js'
import { type ByteSource, readBytes } from '../io/byte-source.js'
import { isFile } from '../io/files.js'
import type { DeepLift } from '../model.js'
import { fixedShape, LETTERS, layoutOf, resolveChannelAxis } from '../options/layout.js'
import type { PlanChoices } from '../options/score-options.js'
import type { InputInfo } from '../options/tensor-info.js'
import { parseCount, usageOf } from './arguments.js'
import type { Range } from './jobs/job.js'
import type { Parameters } from './parameters.js'

export interface Window {
  length: number
  edges: Edges
}

/** A BED file that can be read more than once. */
export interface BedFile {
  path: string
  source: ByteSource
}

/** Rows from a pipe stay in memory. */
export async function openBed(path: string): Promise<BedFile> {
  if (await isFile(path)) return { path, source: path }
  const chunks: Uint8Array[] = []
  // Copied: a chunk belongs to its stream and may be reused.
  for await (const chunk of readBytes(path)) chunks.push(chunk.slice())
  return { path, source: Buffer.concat(chunks) }
}

/** The rows of a BED file with their windows; of those that have none the reason, and in words. */
async function* windowsOf(
  { path, source }: BedFile,
  genome: Genome,
  window: Window,
): AsyncGenerator<{ row: BedRow; region: Region | DropReason; why?: string }> {
  for await (const row of readBed(source)) {
    const size = genome.sizeOf(row.chrom, `${path}, line ${row.line}`)
    const region = windowOf(row, window.length, size, window.edges)
    if (typeof region === 'object') yield { row, region }
    else {
      const where = `line ${row.line} (${row.chrom}:${row.start}-${row.end})`
      yield { row, region, why: `${where}: ${explain(region, size)}` }
    }
  }
}

/** The windows `[first, end)` of those that are there. */
export async function* windowsBetween(
  bed: BedFile,
  genome: Genome,
  window: Window,
  { first, end }: Range,
): AsyncGenerator<Region> {
  let number = 0
  for await (const { region } of windowsOf(bed, genome, window)) {
    if (typeof region === 'string') continue
    if (number >= end) return
    if (number++ >= first) yield region
  }
}

function explain(reason: DropReason, size: number): string {
  return reason === 'edge'
    ? `the window reaches over an edge of the chromosome, which has ${size} bases`
    : `the centre lies beyond the end of the chromosome, which has ${size} bases`
}

function noRegions(bed: string, rows: number, length: number, dropped: readonly string[]): DeepLiftError {
  return new DeepLiftError(
    'INVALID_INPUT',
    rows === 0
      ? `${bed} has no regions.`
      : `${bed}: none of ${rows} regions has a window of ${length} bases on its chromosome; ${dropped[0]}.`,
  )
}

/** What is known of a BED file after one look through it. */
export interface RegionSummary {
  /** SHA-256 of the rows that are kept, each with its line and number. */
  sha256: string
  rows: number
  kept: number
  dropped: Record<DropReason, number>
}

/** Dropped rows that are shown. */
const SHOWN = 5

/**
 * One look through a BED file, so that a wrong row is found before anything is computed.
 *
 * @returns also the first dropped rows, in words
 * @throws {DeepLiftError} FILE_FORMAT; INVALID_SEQUENCE for a chromosome that the genome does not have
 */
export async function surveyRegions(
  bed: BedFile,
  genome: Genome,
  window: Window,
): Promise<{ summary: RegionSummary; examples: string[] }> {
  const hash = createHash('sha256')
  const dropped = Object.fromEntries(DROP_REASONS.map((reason) => [reason, 0])) as Record<DropReason, number>
  const examples: string[] = []
  let [rows, kept] = [0, 0]
  for await (const { row, region, why } of windowsOf(bed, genome, window)) {
    rows++
    if (typeof region === 'string') {
      dropped[region]++
      if (examples.length < SHOWN) examples.push(why!)
      continue
    }
    kept++
    hash.update(`${row.line}\t${row.row}\t${row.text}\n`)
  }
  if (kept === 0) throw noRegions(bed.path, rows, window.length, examples)
  return { summary: { sha256: hash.digest('hex'), rows, kept, dropped }, examples }
}

/** Which rows of the BED file have no results; undefined where all have. */
export function describeDropped(
  { rows, kept }: RegionSummary,
  examples: readonly string[],
): string | undefined {
  if (kept === rows) return undefined
  const more = rows - kept - examples.length
  return `${rows - kept} of ${rows} regions are left out: ${examples.join('; ')}${more > 0 ? `; and ${more} more` : ''}.`
}

/** The length of windows in bases: that of the model's input, or `--length` where the model takes any. */
export function windowLength(
  parameters: { length?: Parameters[string] | undefined },
  model: Pick<DeepLift, 'inputs'>,
  input: string,
  { channelAxis }: Pick<PlanChoices, 'channelAxis'>,
  command: string,
): number {
  const info = model.inputs.find(({ name }) => name === input)!
  const text = parameters.length
  const asked = text === undefined ? undefined : parseCount(String(text), '--length', 1)
  const fixed = sequenceLength(info, channelAxis)
  const named = `input ${JSON.stringify(input)}`
  if (fixed === undefined && asked === undefined)
    throw usageOf(command, `${named} takes sequences of any length: say --length BASES.`)
  if (fixed !== undefined && asked !== undefined && fixed !== asked)
    throw usageOf(command, `--length ${asked}: ${named} takes sequences of ${fixed} bases.`)
  return fixed ?? asked!
}

function sequenceLength(info: InputInfo, channelAxis: PlanChoices['channelAxis']): number | undefined {
  const shape = fixedShape(info)
  if (!shape) return undefined
  const layout = layoutOf(info.name, shape, resolveChannelAxis(channelAxis, info))
  if (layout.channelAxis !== undefined) return layout.size / LETTERS
  throw new DeepLiftError(
    'INVALID_OPTION',
    `--bed: input ${JSON.stringify(info.name)} has no axis of 4 channels, so it does not take sequences.`,
  )
}
