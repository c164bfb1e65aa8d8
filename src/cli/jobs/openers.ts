/** The jobs of commands by name, for those who have only the folder. */

import { DeepLiftError } from '../../errors.js'
import { openIsmJob } from '../commands/ism.js'
import { openPredictJob } from '../commands/predict.js'
import type { Parameters } from '../parameters.js'
import { openScoreJob } from '../score-job.js'
import type { Job } from './job.js'
import type { Manifest } from './manifest.js'
import { checkUnchanged } from './plan.js'

type Open = (path: string, options: never, parameters: Parameters, signal: AbortSignal) => Promise<Job>

const OPEN: Readonly<Record<string, Open>> = {
  score: openScoreJob,
  predict: openPredictJob,
  ism: openIsmJob,
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
  const open = OPEN[command]
  if (!open) throw new DeepLiftError('FILE_FORMAT', `${folder}: no job is called ${JSON.stringify(command)}.`)
  process.chdir(manifest.folder)
  const all = { ...parameters, ...options } as never
  const job = await open(String(parameters.model), all, parameters, signal)
  try {
    await checkUnchanged(folder, manifest, job)
    return job
  } catch (error) {
    await job.close()
    throw error
  }
}
