/** Computing the blocks of a job that are missing: each is on the disk before the next but one is begun. */

import { rm } from 'node:fs/promises'
import { aborted } from '../../caller.js'
import { withAdvice } from './advice.js'
import { BlockWriter, blockExists, blockPath, isSound } from './block.js'
import type { Job, Range } from './job.js'
import { describeDone, type Manifest, placeOf } from './manifest.js'
import type { JobOutput } from './output.js'

export interface Work {
  folder: string
  manifest: Manifest
  job: Job
  signal: AbortSignal
  output: JobOutput
}

interface Found {
  missing: number[]
  /** Examples of blocks that are there, per pass. */
  done: number[]
}

/**
 * Computes those of the blocks `[first, end)` that are missing, or not sound. Safe to repeat.
 *
 * @param onKept Told how many examples of each pass are there already, if any are
 * @returns the number of these
 */
export async function computeShare(
  work: Work,
  share: Range,
  onKept: (kept: readonly number[]) => void = () => {},
): Promise<number> {
  const { folder, manifest } = work
  const { missing, done } = await findMissing(work, share)
  const kept = done.reduce((sum, count) => sum + count, 0)
  if (kept > 0) onKept(done)
  try {
    for (const run of runsOf(missing, manifest)) await computeRun(work, run, done)
  } catch (error) {
    if (done.every((count) => count === 0)) throw error
    throw withAdvice(error, `${describeDone(manifest, done)} are done and kept in ${folder}`)
  }
  return kept
}

async function findMissing(work: Work, { first, end }: Range): Promise<Found> {
  const { manifest, signal } = work
  const missing: number[] = []
  const done = manifest.passes.map(() => 0)
  for (let block = first; block < end; block++) {
    if (signal.aborted) throw aborted(`Reading ${work.folder}`, signal)
    const range = placeOf(manifest, block)
    if (await isThere(work, block)) done[range.pass]! += range.end - range.first
    else missing.push(block)
  }
  return { missing, done }
}

/** Whether a block is there. A damaged one is reported, and computed again. */
async function isThere({ folder, manifest, output }: Work, block: number): Promise<boolean> {
  if (!(await blockExists(folder, block))) return false
  const sound = await isSound(folder, manifest, block)
  if (sound === true) return true
  output.warn(`${sound.message} It is computed again.`)
  await rm(blockPath(folder, block), { force: true })
  return false
}

/** Consecutive numbers of one pass as `[first, end)`. */
function runsOf(blocks: readonly number[], manifest: Manifest): (Range & { pass: number })[] {
  const runs: (Range & { pass: number })[] = []
  for (const block of blocks) {
    const { pass } = placeOf(manifest, block)
    const last = runs.at(-1)
    if (last?.end === block && last.pass === pass) last.end++
    else runs.push({ pass, first: block, end: block + 1 })
  }
  return runs
}

/** One stream over the examples of consecutive blocks, so that writing a block does not hold up the next. */
async function computeRun(work: Work, run: Range & { pass: number }, done: number[]): Promise<void> {
  const { folder, manifest, job, output } = work
  const pass = job.passes[run.pass]!
  const range = { first: placeOf(manifest, run.first).first, end: placeOf(manifest, run.end - 1).end }
  const watched = { kept: done[run.pass]!, total: manifest.passes[run.pass]!.examples }
  let writer = new BlockWriter(folder, manifest, run.first)
  try {
    const compute = pass.compute.bind(pass, range)
    for await (const batch of output.watch(pass, compute, watched)) {
      const rows = batch.records.length
      for (let from = 0; from < rows; ) {
        const to = Math.min(rows, from + writer.room)
        await writer.add(batch, from, to)
        from = to
        if (writer.room > 0) continue
        await writer.finish()
        const { first, end } = placeOf(manifest, writer.block)
        done[run.pass]! += end - first
        if (writer.block + 1 < run.end) writer = new BlockWriter(folder, manifest, writer.block + 1)
      }
    }
  } finally {
    await writer.abort()
  }
}
