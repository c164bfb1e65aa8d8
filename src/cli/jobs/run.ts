/** Running a job: from what was done of it before, if anything was, to its results. */

import type { Reporter } from '../console.js'
import { writeJson } from '../parameters.js'
import type { ProgressArguments } from '../progress-line.js'
import { parametersPathOf } from '../results.js'
import { computeShare } from './compute.js'
import { ALL, type Job, noExamples, type Written } from './job.js'
import { describeDone } from './manifest.js'
import { mergeJob } from './merge.js'
import { JobOutput } from './output.js'
import { planJob, removeUnbegun } from './plan.js'

export interface JobArguments extends ProgressArguments {
  restart?: boolean
  keepJob?: boolean
  json?: boolean
}

export interface Finished extends Written {
  /** Examples of all passes that were computed. */
  computed: number
  /** And those that were there before. */
  kept: number
  /** Of computing. */
  seconds: number
  warnings: string[]
  /** The file of parameters. */
  parameters: string
}

export async function runJob(
  job: Job,
  { restart = false, keepJob = false, ...progress }: JobArguments,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<Finished> {
  if (job.passes.some(({ examples }) => examples === 0)) throw noExamples()
  const output = new JobOutput(job, reporter, progress)
  output.warnOfLeftOut()
  const planned = await planJob(job, { restart, always: keepJob })
  const started = performance.now()
  const seconds = () => (performance.now() - started) / 1000
  const parameters = parametersPathOf(job.out)
  if (!planned) {
    const written = await runThrough(job, output)
    await writeJson(parameters, job.parameters)
    output.warnOfLeftOut()
    const { computed, warnings } = output
    return { ...written, computed, kept: 0, seconds: seconds(), warnings, parameters }
  }
  const { folder, manifest } = planned
  const all = { first: 0, end: manifest.blocks }
  const kept = await computeShare({ folder, manifest, job, signal, output }, all, (done) =>
    output.note(`Going on with ${folder}: ${describeDone(manifest, done)} are done.`),
  ).catch(async (error: unknown) => {
    await removeUnbegun(folder)
    throw error
  })
  const computing = seconds()
  const written = await mergeJob(folder, manifest, job, { keep: keepJob, signal })
  const { computed, warnings } = output
  return { ...written, computed, kept, seconds: computing, warnings, parameters }
}

/** Results go through memory into their files. */
async function runThrough(job: Job, output: JobOutput): Promise<Written> {
  return await job.write(job.out, (pass) =>
    output.watch(pass, pass.compute.bind(pass, ALL), { total: pass.examples }),
  )
}
