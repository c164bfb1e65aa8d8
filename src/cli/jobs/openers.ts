/** The jobs of commands by name: their options, and how they are opened. */

import type { Command } from 'commander'
import { DeepLiftError } from '../../errors.js'
import { addIsmOptions, openIsmJob } from '../commands/ism.js'
import { addMotifOptions } from '../commands/marginalize.js'
import { addPredictOptions, openPredictJob } from '../commands/predict.js'
import { addVariantOptions } from '../commands/variants.js'
import { openMotifJob } from '../motif-job.js'
import type { Parameters } from '../parameters.js'
import { addScoreOptions } from '../score-arguments.js'
import { openScoreJob } from '../score-job.js'
import { openVariantJob } from '../variant-job.js'
import type { Job } from './job.js'
import type { Manifest } from './manifest.js'
import { checkUnchanged } from './plan.js'

export interface JobCommand {
  addOptions(command: Command): Command
  /** The caller closes the job. */
  open(path: string, options: never, parameters: Parameters, signal: AbortSignal): Promise<Job>
}

export const JOBS: Readonly<Record<string, JobCommand>> = {
  score: { addOptions: addScoreOptions, open: openScoreJob },
  predict: { addOptions: addPredictOptions, open: openPredictJob },
  ism: { addOptions: addIsmOptions, open: openIsmJob },
  variants: { addOptions: addVariantOptions, open: openVariantJob },
  marginalize: { addOptions: addMotifOptions, open: openMotifJob },
}

/**
 * Opens what a job was planned with; paths among its parameters are as they were given in its folder. The caller closes it.
 *
 * @param options Such as threads, which are those of this process
 * @throws {DeepLiftError} INVALID_INPUT where a file is not what it was
 */
export async function openPlanned(
  folder: string,
  manifest: Manifest,
  options: object,
  signal: AbortSignal,
): Promise<Job> {
  const { command, parameters } = manifest
  const known = Object.hasOwn(JOBS, command) ? JOBS[command] : undefined
  if (!known)
    throw new DeepLiftError('FILE_FORMAT', `${folder}: no job is called ${JSON.stringify(command)}.`)
  process.chdir(manifest.folder)
  const all = { ...parameters, ...options } as never
  const job = await known.open(String(parameters.model), all, parameters, signal)
  try {
    await checkUnchanged(folder, manifest, job)
    return job
  } catch (error) {
    await job.close()
    throw error
  }
}
