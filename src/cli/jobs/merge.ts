/** Merging: the blocks of a job, in order, into the files that were asked for. */

import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { aborted } from '../../caller.js'
import { DeepLiftError } from '../../errors.js'
import type { Region } from '../../genomics/region.js'
import { worstOf } from '../../progress.js'
import { writeJson } from '../parameters.js'
import { prefixOf } from '../results.js'
import { chooseFormat, createSink } from '../sinks/formats.js'
import { RegionsSink } from '../sinks/regions.js'
import { type ScoredRecord, type Sink, SinkGroup } from '../sinks/sink.js'
import { targetNames } from '../targets.js'
import { withAdvice } from './advice.js'
import { type Block, blockExists, countUnknown, readBlock } from './block.js'
import type { Manifest } from './manifest.js'
import { jobRegions, readSizes } from './region-list.js'

/** Where results grow. A merge that is killed leaves nothing outside the folder of the job. */
const MERGED = 'merged'

export interface Merged {
  paths: string[]
  worstCompleteness: number
  /** Examples with unknown bases. */
  unknown: number
}

/**
 * Writes the results of a job whose blocks are all there, and removes its folder.
 *
 * @throws {DeepLiftError} FILE_NOT_FOUND while blocks are missing
 */
export async function mergeJob(
  folder: string,
  manifest: Manifest,
  options: { keep: boolean; signal: AbortSignal },
): Promise<Merged> {
  const missing: number[] = []
  for (let block = 0; block < manifest.blocks; block++)
    if (!(await blockExists(folder, block))) missing.push(block)
  if (missing.length > 0)
    throw new DeepLiftError(
      'FILE_NOT_FOUND',
      `${folder}: ${missing.length} of ${manifest.blocks} blocks are missing, the first is ${missing[0]}.`,
      { details: { missing } },
    )
  const work = join(folder, MERGED)
  await rm(work, { recursive: true, force: true })
  await mkdir(work)
  const { out } = manifest.parameters as { out: string }
  const sinks = await createSinks(folder, manifest, join(work, basename(out)))
  let merged: Omit<Merged, 'paths'>
  try {
    merged = await copyBlocks(folder, manifest, sinks, options.signal)
    await sinks.finish()
  } catch (error) {
    await sinks.abort()
    throw withAdvice(error, `All ${manifest.regions.kept} regions are scored and kept in ${folder}`)
  }
  await writeJson(join(work, `${basename(prefixOf(out))}.params.json`), manifest.parameters)
  const names = await readdir(work)
  for (const name of names) await rename(join(work, name), join(dirname(out), name))
  if (!options.keep) await rm(folder, { recursive: true })
  return { ...merged, paths: names.sort().map((name) => join(dirname(out), name)) }
}

async function createSinks(folder: string, manifest: Manifest, out: string): Promise<Sink> {
  const { scored, parameters, provenance } = manifest
  const context = {
    out,
    several: scored.length > 1,
    targets: targetNames(parameters as { target?: string[]; head?: string[] }),
    provenance,
    compress: parameters.compress === true,
    float16: parameters.float16 === true,
    genome: {
      // What leads from result files to the genome is relative to where they end up.
      path: join(dirname(out), relative(dirname(String(parameters.out)), String(parameters.genome))),
      sizes: await readSizes(folder),
    },
  }
  const format = chooseFormat(parameters as { format?: string; out: string })
  return new SinkGroup([createSink(format, context), new RegionsSink(`${prefixOf(out)}.regions.bed`)])
}

async function copyBlocks(
  folder: string,
  manifest: Manifest,
  sinks: Sink,
  signal: AbortSignal,
): Promise<Omit<Merged, 'paths'>> {
  const all = { first: 0, end: manifest.regions.kept }
  const regions = jobRegions(folder, manifest, await readSizes(folder), all)
  let [worstCompleteness, unknown] = [0, 0]
  try {
    for (let block = 0; block < manifest.blocks; block++) {
      if (signal.aborted) throw aborted(`Merging ${folder}`, signal)
      for await (const piece of readBlock(folder, manifest, block)) {
        const { codes, ...scores } = piece
        await sinks.write({ ...scores, records: await recordsOf(codes, regions, manifest), warnings: [] })
        worstCompleteness = worstOf(scores.completeness.data, worstCompleteness)
        unknown += countUnknown(codes)
      }
    }
  } finally {
    await regions.return(undefined)
  }
  return { worstCompleteness, unknown }
}

/** The next regions with their base codes. */
async function recordsOf(
  codes: Block['codes'],
  regions: AsyncIterator<Region>,
  { input }: Manifest,
): Promise<ScoredRecord[]> {
  const records: ScoredRecord[] = []
  for (let example = 0; example < codes.shape[0]!; example++) {
    const { value: region, done } = await regions.next()
    if (done) throw new DeepLiftError('FILE_FORMAT', 'The list of regions of the job is cut off.')
    const data = codesOf(codes, example)
    records.push({ name: region.name, region, inputs: { [input]: { data, shape: [data.length] } } })
  }
  return records
}

function codesOf({ data, shape }: Block['codes'], example: number): Uint8Array {
  const length = shape[1]!
  return data.subarray(example * length, (example + 1) * length)
}
