/** Scores of a stream of records: batch by batch, in order, never further ahead than a few batches. */

import { aborted, blame } from './caller.js'
import { DeepLiftError } from './errors.js'
import type { Batching, GivenInput, Job } from './job.js'
import type { NativeResult } from './native.js'
import { show } from './options/check.js'
import type { PlanChoices, ResolvedRun } from './options/score-options.js'
import type { InputInfo } from './options/tensor-info.js'
import { type Compute, type Computed, computeBatches } from './pipeline.js'
import { ProgressMeter, worstOf } from './progress.js'
import { layoutsOf, type RecordBatch, recordBatches, type StreamRecord } from './records.js'
import { type Scores, toScores } from './scores.js'

/** The scores of consecutive records. */
export interface ScoreBatch<R extends StreamRecord = StreamRecord> extends Scores {
  /** Number of the first record, from 0, or from the option `firstExample`. */
  first: number
  /** The records scored, in the order of the first axis of every tensor. */
  records: R[]
}

export type RecordSource<R> = Iterable<R> | AsyncIterable<R>

export function isRecordSource(value: unknown): value is RecordSource<never> {
  return (
    typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value)
  )
}

export function checkRecordSource(value: unknown, where: string): void {
  if (!isRecordSource(value))
    throw new DeepLiftError(
      'INVALID_INPUT',
      `${where}: expected an iterable of records, such as readFasta(path); found ${show(value)}.`,
    )
}

/** What a stream of records is turned into batches by. */
export interface RecordJob<R extends StreamRecord, J extends Batching = Job> {
  source: RecordSource<R>
  /** Inputs of the model. */
  expected: readonly InputInfo[]
  channelAxis: PlanChoices['channelAxis']
  first: number
  signal: AbortSignal | undefined
  createJob: (given: GivenInput[]) => Promise<J>
}

export async function* streamScores<R extends StreamRecord>(
  records: RecordJob<R>,
  run: ResolvedRun,
  caller: string,
): AsyncGenerator<ScoreBatch<R>> {
  const meter = new ProgressMeter(run.total, run.onProgress)
  try {
    const score = ({ plan }: Job): Compute<NativeResult> => plan.score.bind(plan)
    for await (const { job, batch, result } of computeRecords(records, score)) {
      const { first, examples } = batch.native
      meter.add(examples, result.completeness)
      const worst = worstOf(result.completeness)
      const scores = toScores(result, examples, job.shape, worst, [...job.description.warnings])
      yield { first, records: batch.records, ...scores }
    }
  } catch (error) {
    throw blame(error, caller)
  }
}

/** Batches of the records through native code, under a job whose shapes the first record tells. */
export async function* computeRecords<R extends StreamRecord, T, J extends Batching>(
  { source, expected, channelAxis, first, signal, createJob }: RecordJob<R, J>,
  compute: (job: J) => Compute<T>,
  what = 'Scoring',
): AsyncGenerator<Computed<RecordBatch<R>, T> & { job: J }> {
  if (signal?.aborted) throw aborted(what, signal)
  const records = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  const head = await beforeAbort(Promise.resolve(records.next()), signal, records, what)
  if (head.done) return
  const job = await orReturn(records, async () => {
    return await createJob(layoutsOf(head.value, expected, channelAxis))
  })
  const batches = recordBatches(job, expected, head.value, records, first)
  for await (const computed of computeBatches(compute(job), batches, signal, what)) yield { ...computed, job }
}

/** The first record, unless the signal comes before it. */
async function beforeAbort<R>(
  next: Promise<IteratorResult<R>>,
  signal: AbortSignal | undefined,
  records: Iterator<R> | AsyncIterator<R>,
  what: string,
): Promise<IteratorResult<R>> {
  if (!signal) return await next
  let onAbort: (() => void) | undefined
  const abort = new Promise<never>((_, reject) => {
    onAbort = () => reject(aborted(what, signal))
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([next, abort])
  } catch (error) {
    // The source may still be busy: it is told, not waited for.
    if (error instanceof DeepLiftError && error.code === 'ABORTED') {
      next.catch(() => {})
      Promise.resolve(records.return?.()).catch(() => {})
    }
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort!)
  }
}

async function orReturn<T>(
  records: Iterator<unknown> | AsyncIterator<unknown>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await records.return?.()
    throw error
  }
}
