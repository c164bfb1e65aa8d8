/** Jobs over examples of files, one result per example: what `score`, `predict` and `ism` share. */

import { UNKNOWN_BASE } from '../genomics/letters.js'
import type { Cost } from '../job.js'
import { worstOf } from '../progress.js'
import type { Tensor } from '../tensor.js'
import { usageOf } from './arguments.js'
import { createReporter, type Reporter } from './console.js'
import type { FileArguments } from './example-sources.js'
import {
  type Batch,
  type Job,
  noExamples,
  type Pass,
  type Range,
  type Results,
  type Written,
} from './jobs/job.js'
import { type Finished, type JobArguments, runJob } from './jobs/run.js'
import type { ModelArguments } from './model-options.js'
import type { Parameters } from './parameters.js'
import type { ShownProgress } from './progress-line.js'
import { prefixOf } from './results.js'
import type { WindowArguments } from './score-arguments.js'
import { RegionsSink } from './sinks/regions.js'
import { type ScoredRecord, type Sink, SinkGroup } from './sinks/sink.js'
import type { Source } from './source.js'
import { describeDropped } from './windows.js'

export type OutputArguments = FileArguments &
  WindowArguments &
  ModelArguments &
  JobArguments & { out?: string }

/** The file that results go to. */
export function outOf(command: string, { out }: OutputArguments, what: string): string {
  if (out === undefined) throw usageOf(command, `say where the ${what} go: --out FILE.`)
  return out
}

export interface ExampleBatch extends Batch {
  records: ScoredRecord[]
  /** Where contributions are computed. */
  completeness?: Tensor<Float64Array>
}

export interface ExampleWork<B extends ExampleBatch> {
  command: string
  /** The ONNX file. */
  path: string
  parameters: Parameters
  source: Source
  /** What the summary says was asked for. */
  settings: object
  cost(record: ScoredRecord): Promise<Cost>
  batches(
    records: AsyncIterable<ScoredRecord>,
    first: number,
    onProgress: (progress: ShownProgress) => void,
  ): AsyncIterable<B>
  createSink(out: string): Promise<Sink<Results<B>>>
}

/** A job, and what its summary says beside its results. */
export interface ExampleJob extends Job {
  source: Source
  settings: object
}

export function exampleJob<B extends ExampleBatch>(work: ExampleWork<B>): ExampleJob {
  const { command, path, parameters, source, settings } = work
  const { regions, unit, examples } = source
  const pass: Pass<B> = {
    unit,
    examples,
    async cost() {
      for await (const record of source.records({ first: 0, end: 1 }, true)) return await work.cost(record)
      throw noExamples()
    },
    compute: (range: Range, onProgress) => work.batches(source.records(range, true), range.first, onProgress),
    records: (range: Range) => source.records(range, false),
  }
  const job: ExampleJob = {
    ...{ command, parameters, out: String(parameters.out), source },
    settings: { model: path, ...settings },
    passes: [pass],
    facts: regions ? { dropped: regions.summary.dropped } : {},
    leftOut: () => regions && describeDropped(regions.summary, regions.dropped),
    identity: source.identity.bind(source),
    write: async (out, results) => await writeExamples(work, out, results(pass)),
    close: source.close.bind(source),
  }
  return job
}

async function writeExamples<B extends ExampleBatch>(
  { source, createSink }: ExampleWork<B>,
  out: string,
  batches: AsyncIterable<Results<B>>,
): Promise<Written> {
  const { regions } = source
  const own = await createSink(out)
  const sink = regions ? new SinkGroup([own, new RegionsSink(`${prefixOf(out)}.regions.bed`)]) : own
  let [examples, unknown] = [0, 0]
  let worst: number | undefined
  try {
    for await (const batch of batches) {
      await sink.write(batch)
      examples += batch.records.length
      if (batch.completeness) worst = worstOf(batch.completeness.data, worst)
      unknown += batch.records.filter(hasUnknown).length
    }
    await sink.finish()
  } catch (error) {
    await sink.abort()
    throw error
  }
  return {
    paths: sink.paths,
    facts: {
      examples,
      ...(worst !== undefined && { worstCompleteness: worst }),
      ...(regions && { withUnknownBases: unknown, regions: regions.summary }),
    },
  }
}

/** Whether a sequence has an unknown base. */
function hasUnknown({ inputs }: ScoredRecord): boolean {
  return Object.values(inputs).some(({ data }) => data instanceof Uint8Array && data.includes(UNKNOWN_BASE))
}

/** The beginning of a summary. */
type Rate = (done: { examples: number; seconds: number; worstCompleteness: number }, unit: string) => string

/** Runs a job and says what it did; it is closed in the end. */
export async function runExamples(
  job: ExampleJob,
  options: JobArguments,
  signal: AbortSignal,
  rate: Rate,
): Promise<void> {
  const reporter = createReporter(options.json === true)
  const { settings } = job
  try {
    reportExamples(await runJob(job, options, reporter, signal), job, settings, rate, reporter)
  } finally {
    await job.close()
  }
}

function reportExamples(
  { paths, facts, computed, kept, seconds, warnings, parameters }: Finished,
  { source: { unit } }: ExampleJob,
  settings: object,
  rate: Rate,
  reporter: Reporter,
): void {
  const { worstCompleteness = 0, withUnknownBases = 0 } = facts as Record<string, number>
  const resumed = kept > 0 ? `, ${kept} from before` : ''
  const unknown = withUnknownBases > 0 ? `, ${withUnknownBases} with unknown bases` : ''
  const text = () =>
    `${rate({ examples: computed, seconds, worstCompleteness }, unit)}${resumed}${unknown}: ${paths.join(', ')}`
  reporter.result(text, {
    ...{ ...facts, computed, kept, seconds, examplesPerSecond: computed / seconds, warnings, settings },
    ...{ files: paths, parameters },
  })
}
