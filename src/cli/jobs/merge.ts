/** Merging: the blocks of a job, in order, into the files that were asked for. */

import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { aborted } from '../../caller.js'
import { DeepLiftError } from '../../errors.js'
import { writeJson } from '../parameters.js'
import { parametersPathOf } from '../results.js'
import { withAdvice } from './advice.js'
import { blockExists, readBlock } from './block.js'
import { ALL, type Batch, type Job, type Pass, type Results, type Written } from './job.js'
import { blocksOfPass, describeDone, type Manifest } from './manifest.js'

/** Where results grow. A merge that is killed leaves nothing outside the folder of the job. */
const MERGED = 'merged'

/**
 * Writes the results of a job whose blocks are all there, and removes its folder.
 *
 * @throws {DeepLiftError} FILE_NOT_FOUND while blocks are missing
 */
export async function mergeJob(
  folder: string,
  manifest: Manifest,
  job: Job,
  options: { keep: boolean; signal: AbortSignal },
): Promise<Written> {
  await checkComplete(folder, manifest)
  const { out } = job
  const work = join(folder, MERGED)
  await rm(work, { recursive: true, force: true })
  await mkdir(work)
  let written: Written
  try {
    written = await job.write(join(work, basename(out)), (pass) =>
      replay(folder, manifest, pass, job.passes.indexOf(pass as unknown as Pass), options.signal),
    )
    await writeJson(join(work, basename(parametersPathOf(out))), job.parameters)
  } catch (error) {
    const all = manifest.passes.map(({ examples }) => examples)
    throw withAdvice(error, `All results are there (${describeDone(manifest, all)}) and kept in ${folder}`)
  }
  const moved = (path: string) => join(dirname(out), basename(path))
  for (const name of await readdir(work)) await rename(join(work, name), moved(name))
  if (!options.keep) await rm(folder, { recursive: true })
  return { ...written, paths: written.paths.map(moved) }
}

async function checkComplete(folder: string, { blocks }: Manifest): Promise<void> {
  const missing: number[] = []
  for (let block = 0; block < blocks; block++) if (!(await blockExists(folder, block))) missing.push(block)
  if (missing.length === 0) return
  throw new DeepLiftError(
    'FILE_NOT_FOUND',
    `${folder}: ${missing.length} of ${blocks} blocks are missing, the first is ${missing[0]}.`,
    { details: { missing } },
  )
}

/** The results of a pass from its blocks, with its records. */
async function* replay<B extends Batch>(
  folder: string,
  manifest: Manifest,
  pass: Pass<B>,
  number: number,
  signal: AbortSignal,
): AsyncGenerator<Results<B>> {
  const records = pass.records(ALL)[Symbol.asyncIterator]()
  const { first, end } = blocksOfPass(manifest, number)
  try {
    for (let block = first; block < end; block++) {
      if (signal.aborted) throw aborted(`Merging ${folder}`, signal)
      // The outline of a block is that of the batches of its pass.
      for await (const { rows, ...results } of readBlock(folder, manifest, block))
        yield { ...results, records: await take(records, rows, folder) } as unknown as Results<B>
    }
  } finally {
    await records.return?.()
  }
}

async function take<R>(records: AsyncIterator<R>, count: number, folder: string): Promise<R[]> {
  const taken: R[] = []
  while (taken.length < count) {
    const { value, done } = await records.next()
    if (done)
      throw new DeepLiftError(
        'INVALID_INPUT',
        `${folder}: there are fewer examples than when it was planned.`,
      )
    taken.push(value)
  }
  return taken
}
