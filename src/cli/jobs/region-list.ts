/**
 * The regions of a job in score order, `regions.tsv` in its folder: of each row that is kept its line and number in the
 * BED file, and the row as it stands there.
 */

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { DeepLiftError } from '../../errors.js'
import { parseBedRow, readBed, readLines } from '../../genomics/bed.js'
import type { Genome } from '../../genomics/genome.js'
import {
  type BedRow,
  DROP_REASONS,
  type DropReason,
  type Edges,
  type Region,
  windowOf,
} from '../../genomics/region.js'
import type { OutputFile } from '../../io/files.js'
import { CHROM_SIZES, type Manifest, REGIONS } from './manifest.js'

/** Dropped rows that are shown. */
export const SHOWN = 5

export interface RegionList {
  summary: Manifest['regions']
  /** The first dropped rows, in words. */
  examples: string[]
  /** The file with the list; `commit` or `discard` it. */
  file: OutputFile
}

/** Writes at once what is longer than this. */
const BYTES_PER_WRITE = 1 << 20

/**
 * Reads a BED file and keeps the rows that have a window on the genome.
 *
 * @throws {DeepLiftError} FILE_FORMAT; INVALID_SEQUENCE for a chromosome that the genome does not have
 */
export async function listRegions(
  bed: string,
  genome: Genome,
  window: Window,
  file: OutputFile,
): Promise<RegionList> {
  const hash = createHash('sha256')
  const dropped = Object.fromEntries(DROP_REASONS.map((reason) => [reason, 0])) as Record<DropReason, number>
  const examples: string[] = []
  let rows = 0
  let kept = 0
  let pending = ''
  const flush = async () => {
    const bytes = Buffer.from(pending)
    hash.update(bytes)
    await file.append(bytes)
    pending = ''
  }
  for await (const { row, region, why } of windowsOf(bed, genome, window)) {
    rows++
    if (typeof region === 'string') {
      dropped[region]++
      if (examples.length < SHOWN) examples.push(why!)
      continue
    }
    kept++
    pending += `${row.line}\t${row.row}\t${row.text}\n`
    if (pending.length > BYTES_PER_WRITE) await flush()
  }
  await flush()
  if (kept === 0) throw noRegions(bed, rows, window.length, examples)
  return { summary: { sha256: hash.digest('hex'), rows, kept, dropped }, examples, file }
}

export interface Window {
  length: number
  edges: Edges
}

/** The rows of a BED file with their windows; of those that have none the reason, and in words. */
export async function* windowsOf(
  bed: string,
  genome: Genome,
  window: Window,
): AsyncGenerator<{ row: BedRow; region: Region | DropReason; why?: string }> {
  for await (const row of readBed(bed)) {
    const size = genome.sizeOf(row.chrom, `${bed}, line ${row.line}`)
    const region = windowOf(row, window.length, size, window.edges)
    if (typeof region === 'object') yield { row, region }
    else {
      const where = `line ${row.line} (${row.chrom}:${row.start}-${row.end})`
      yield { row, region, why: `${where}: ${explain(region, size)}` }
    }
  }
}

export function noRegions(
  bed: string,
  rows: number,
  length: number,
  dropped: readonly string[],
): DeepLiftError {
  return new DeepLiftError(
    'INVALID_INPUT',
    rows === 0
      ? `${bed} has no regions.`
      : `${bed}: none of ${rows} regions has a window of ${length} bases on its chromosome; ${dropped[0]}.`,
  )
}

function explain(reason: DropReason, size: number): string {
  return reason === 'edge'
    ? `the window reaches over an edge of the chromosome, which has ${size} bases`
    : `the centre lies beyond the end of the chromosome, which has ${size} bases`
}

/** The regions `[first, end)` of a job. */
export async function* jobRegions(
  folder: string,
  { length, parameters }: Manifest,
  sizes: ReadonlyMap<string, number>,
  range: { first: number; end: number },
): AsyncGenerator<Region> {
  const file = join(folder, REGIONS)
  let index = 0
  for await (const text of readLines(file, file)) {
    if (index >= range.end) return
    if (index++ < range.first) continue
    const [, line, number, rest] = /^(\d+)\t(\d+)\t(.*)$/s.exec(text) ?? []
    if (rest === undefined)
      throw new DeepLiftError('FILE_FORMAT', `${file}, line ${index}: this is no row of a list of regions.`)
    const row = parseBedRow(rest, { file: String(parameters.bed), line: Number(line), row: Number(number) })
    const region = windowOf(row, length, sizes.get(row.chrom) ?? 0, parameters.edges as Edges)
    if (typeof region === 'string')
      throw new DeepLiftError('FILE_FORMAT', `${file}, line ${index}: the window is not on its chromosome.`)
    yield region
  }
}

/** The lengths of the chromosomes, as `chrom.sizes` in the folder of the job has them. */
export async function readSizes(folder: string): Promise<Map<string, number>> {
  const sizes = new Map<string, number>()
  const path = join(folder, CHROM_SIZES)
  for await (const line of readLines(path, path)) {
    const [name, size] = line.split('\t')
    sizes.set(name!, Number(size))
  }
  return sizes
}

export function formatSizes(sizes: ReadonlyMap<string, number>): string {
  return [...sizes].map(([name, size]) => `${name}\t${size}\n`).join('')
}
