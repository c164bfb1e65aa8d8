/** Planning: the folder of a job, before anything is computed. */

import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { DeepLiftError } from '../../errors.js'
import { parseCount } from '../arguments.js'
import { writeJson } from '../parameters.js'
import { jobFolderOf } from '../results.js'
import { BLOCKS } from './block.js'
import type { Job, Pass } from './job.js'
import {
  createManifest,
  differences,
  identityOf,
  MANIFEST,
  type Manifest,
  type PassPlan,
  readManifest,
} from './manifest.js'

export interface Planned {
  folder: string
  manifest: Manifest
}

export interface PlanOptions {
  /** Discards a job that was begun before. */
  restart: boolean
  /** Makes the folder also where one block would hold all. */
  always: boolean
}

/**
 * Makes the folder of a job, or finds the one of the same job. None is made for work that cannot be gone on with: for
 * examples that can be read only once, and where every pass is one block.
 *
 * @throws {DeepLiftError} INVALID_OPTION naming what differs if the folder is that of another job
 */
export async function planJob(job: Job, { restart, always }: PlanOptions): Promise<Planned | undefined> {
  // What can be read once must be left to who computes with it.
  if (job.passes.some(({ examples }) => examples === undefined)) return undefined
  const folder = jobFolderOf(job.out)
  const { before, other } = await look(folder)
  if (before && !restart) {
    refuseOther(before, await identityOf(job), folder)
    await removeOld(join(folder, BLOCKS))
    // Files may have another name or place by now.
    const manifest = { ...before, folder: resolve('.'), parameters: job.parameters }
    await writeJson(join(folder, MANIFEST), manifest)
    return { folder, manifest }
  }
  if (before) await rm(folder, { recursive: true })
  const passes: PassPlan[] = []
  for (const pass of job.passes) {
    const { examples = 0, unit } = pass
    const blockSize = await blockSizeOf(pass, job)
    passes.push({ unit, examples, blockSize, blocks: Math.ceil(examples / blockSize) })
  }
  if (!always && passes.every(({ blocks }) => blocks === 1)) return undefined
  if (other !== undefined)
    throw new DeepLiftError(
      'INVALID_OPTION',
      `${folder} is needed for the job and holds other files (${other}); give another --out.`,
      { details: { folder } },
    )
  const manifest = createManifest(job, resolve('.'), await identityOf(job), passes)
  await makeFolder(folder)
  // Last, for it makes the folder that of a job.
  await writeJson(join(folder, MANIFEST), manifest)
  return { folder, manifest }
}

/** Results of a block: little enough to be held in memory. */
const BYTES_PER_BLOCK = 16e6

/** Arithmetic of a block: what a killed process loses at most, a few minutes of one core. */
const FLOPS_PER_BLOCK = 1e13

/**
 * Examples of a block, by what one costs, so that every machine finds the same; or `--block`. Those of a single example
 * are not asked what they cost.
 */
async function blockSizeOf(pass: Pass, { parameters: { block } }: Job): Promise<number> {
  if (block !== undefined) return parseCount(String(block), '--block', 1)
  if (pass.examples === 1) return 1
  const { bytes, flops } = await pass.cost()
  return Math.max(
    1,
    Math.floor(Math.min(BYTES_PER_BLOCK / Math.max(bytes, 1), FLOPS_PER_BLOCK / Math.max(flops, 1))),
  )
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
    await mkdir(join(folder, BLOCKS), { recursive: true })
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? 'its parent folder does not exist' : code
    throw new DeepLiftError('FILE_NOT_FOUND', `${folder} cannot be made: ${reason}.`, { cause })
  }
}

/** What stands in the folder of a job whose planning was killed. */
const BEGUN = new RegExp(`^(${BLOCKS}|${MANIFEST}\\..*\\.tmp)$`)

/** The manifest of a job that was begun, or a file that is of no job. */
async function look(folder: string): Promise<{ before?: Manifest; other?: string | undefined }> {
  const names = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return [] as string[]
    throw new DeepLiftError('FILE_NOT_FOUND', `${folder} cannot be opened (${cause.code}).`, { cause })
  })
  if (names.includes(MANIFEST)) return { before: await readManifest(folder) }
  return { other: names.find((name) => !BEGUN.test(name)) }
}

function refuseOther({ identity }: Manifest, now: Manifest['identity'], folder: string): void {
  const found = differences(identity, now)
  if (found.length === 0) return
  throw new DeepLiftError(
    'INVALID_OPTION',
    `${folder} holds an unfinished job that differs: ${found.join('; ')}. Finish it with its own parameters, give ` +
      'another --out, or discard it with --restart.',
    { details: { folder, differences: found } },
  )
}

/** Refuses to go on where a file is not what it was when the job was planned. */
export async function checkUnchanged(folder: string, { identity }: Manifest, job: Job): Promise<void> {
  const found = differences(identity, await identityOf(job))
  if (found.length === 0) return
  throw new DeepLiftError(
    'INVALID_INPUT',
    `${folder}: something has changed since the job was planned: ${found.join('; ')}. Plan it again with --restart.`,
    { details: { folder, differences: found } },
  )
}

/** Removes the folder of a job without any block: nothing would be gained by going on with it. */
export async function removeUnbegun(folder: string): Promise<void> {
  const names = await readdir(join(folder, BLOCKS))
  if (!names.some((name) => name.endsWith('.npz'))) await rm(folder, { recursive: true })
}

/** Nobody works so long on a block without writing. */
const MILLISECONDS_UNTOUCHED = 3600_000

/** Removes what processes that were killed have left of blocks. */
async function removeOld(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.tmp')) continue
    const path = join(folder, name)
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }))
    if (Date.now() - mtimeMs > MILLISECONDS_UNTOUCHED) await rm(path, { force: true })
  }
}
