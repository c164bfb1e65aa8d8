/** Computing the blocks of a job that are missing: each is on the disk before the next but one is begun. */

import { rm } from 'node:fs/promises'
import { aborted } from '../../caller.js'
import { DeepLiftError } from '../../errors.js'
import type { Genome } from '../../genomics/genome.js'
import type { Region } from '../../genomics/region.js'
import type { DeepLift } from '../../model.js'
import type { StreamOptions } from '../../options/score-options.js'
import type { Progress } from '../../progress.js'
import { type ExampleSettings, type Examples, openExamples } from '../records.js'
import { withAdvice } from './advice.js'
import { BlockWriter, blockExists, blockPath, blockRange, checkBlock } from './block.js'
import type { Manifest } from './manifest.js'
import { jobRegions } from './region-list.js'

export interface JobWork {
  folder: string
  manifest: Manifest
  model: DeepLift
  genome: Genome
  scoring: StreamOptions
  /** Everything about the examples but the regions. */
  examples: Omit<ExampleSettings, 'regions' | 'fasta' | 'inputs'>
  signal: AbortSignal
  warn: (message: string) => void
  onProgress: (progress: Progress) => void
}

export interface Computed {
  /** Examples of blocks that were there already. */
  kept: number
  computed: number
  worstCompleteness: number
}

/** Computes those of the blocks `[first, end)` that are not there, or not sound. Safe to repeat. */
export async function computeBlocks(
  work: JobWork,
  { first, end }: { first: number; end: number },
): Promise<Computed> {
  const { manifest } = work
  const missing: number[] = []
  let kept = 0
  for (let block = first; block < end; block++) {
    if (work.signal.aborted) throw aborted('Scoring', work.signal)
    const range = blockRange(manifest, block)
    if (await isSound(work, block)) kept += range.end - range.first
    else missing.push(block)
  }
  const state: Computed = { kept, computed: 0, worstCompleteness: 0 }
  try {
    for (const run of runsOf(missing)) await computeRun(work, run, state)
  } catch (error) {
    const done = state.kept + state.computed
    const { folder } = work
    throw withAdvice(error, `${done} of ${manifest.regions.kept} regions are scored and kept in ${folder}`)
  }
  return state
}

/** Whether a block is there. A damaged one is reported, and computed again. */
async function isSound({ folder, manifest, warn }: JobWork, block: number): Promise<boolean> {
  if (!(await blockExists(folder, block))) return false
  try {
    await checkBlock(folder, manifest, block)
    return true
  } catch (error) {
    if (!(error instanceof DeepLiftError) || error.code !== 'FILE_FORMAT') throw error
    warn(`${error.message} It is computed again.`)
    await rm(blockPath(folder, block), { force: true })
    return false
  }
}

/** Consecutive numbers as `[first, end)`. */
function runsOf(blocks: readonly number[]): { first: number; end: number }[] {
  const runs: { first: number; end: number }[] = []
  for (const block of blocks) {
    const last = runs.at(-1)
    if (last?.end === block) last.end++
    else runs.push({ first: block, end: block + 1 })
  }
  return runs
}

/** One stream over the examples of consecutive blocks, so that writing a block does not hold up the next. */
async function computeRun(
  work: JobWork,
  run: { first: number; end: number },
  state: Computed,
): Promise<void> {
  const { folder, manifest, model, scoring } = work
  const range = { first: run.first * manifest.blockSize, end: blockRange(manifest, run.end - 1).end }
  const examples = await openRegions(work, jobRegions(folder, manifest, work.genome.sizes, range))
  const before = state.computed
  let writer = new BlockWriter(folder, manifest, run.first)
  try {
    for await (const batch of model.stream(examples.records, {
      ...scoring,
      references: examples.references,
      firstExample: (scoring.firstExample ?? 0) + range.first,
      signal: work.signal,
      onProgress: (progress) => {
        state.worstCompleteness = Math.max(state.worstCompleteness, progress.worstCompleteness)
        work.onProgress({ ...progress, done: state.kept + before + progress.done })
      },
    })) {
      for (const warning of batch.warnings) work.warn(warning)
      for (let from = 0; from < batch.records.length; ) {
        const to = Math.min(batch.records.length, from + writer.room)
        await writer.add(batch, from, to)
        from = to
        if (writer.room > 0) continue
        await writer.finish()
        const { first, end } = blockRange(manifest, writer.block)
        state.computed += end - first
        if (writer.block + 1 < run.end) writer = new BlockWriter(folder, manifest, writer.block + 1)
      }
    }
  } finally {
    await writer.abort()
    await examples.close()
  }
}

async function openRegions(
  { manifest, model, genome, examples }: JobWork,
  regions: AsyncIterable<Region>,
): Promise<Examples> {
  const source = { input: manifest.input, genome, regions, rows: manifest.regions.rows }
  return await openExamples({ ...examples, inputs: model.inputs, regions: source })
}
