/** Scores of sequences that are compared, into a file: each against the references of the sequence it came from. */

import type { DeepLift } from '../model.js'
import { worstOf } from '../progress.js'
import { shuffledSequences } from '../shuffles.js'
import type { ScoreBatch } from '../stream.js'
import type { Tensor } from '../tensor.js'
import type { ContributionPlan } from './comparison.js'
import { noExamples, type Pass, type Range } from './jobs/job.js'
import type { InputRoles } from './other-inputs.js'
import { createSink, type Format } from './sinks/formats.js'
import type { ScoredBatch, ScoredRecord, Sink, SinkContext } from './sinks/sink.js'

/** A sequence to score. */
export interface ScoredSequence {
  name: string
  codes: Uint8Array
  /** The sequence whose shuffles are its references, and its number: equal pairs have equal references. */
  origin: Uint8Array
  number: number
}

export type ContributionPass = Pass<ScoreBatch<ScoredRecord>>

export interface ContributionWork extends Pick<ContributionPass, 'unit' | 'examples'> {
  model: DeepLift
  plan: ContributionPlan
  roles: InputRoles
  batchSize?: number
  signal: AbortSignal
  sequences(range: Range): AsyncIterable<ScoredSequence>
}

const EXTENSION: Partial<Record<Format, string>> = { npz: '.npz', npy: '.npy', chrombpnet: '.h5' }

export function contributionSink(
  plan: ContributionPlan,
  model: DeepLift,
  prefix: string,
  context: Omit<SinkContext, 'out' | 'several' | 'targets'>,
): Sink {
  const several = (plan.choices.layers?.length ?? model.inputs.length) > 1
  const { format, targets } = plan
  return createSink(format, { ...context, several, targets, out: `${prefix}${EXTENSION[format] ?? ''}` })
}

export function contributionPass(work: ContributionWork): ContributionPass {
  const { model, plan, unit, examples, batchSize, signal } = work
  const choices = { ...plan.choices, references: plan.references }
  return {
    unit,
    examples,
    async cost() {
      for await (const record of records(work, { first: 0, end: 1 }, true))
        return await model.scoreCost(record, choices)
      throw noExamples()
    },
    compute: (range, onProgress) =>
      model.stream(records(work, range, true), {
        ...choices,
        ...(batchSize !== undefined && { batchSize }),
        ...{ firstExample: range.first, signal, onProgress },
      }),
    records: (range) => records(work, range, false),
  }
}

async function* records(
  { plan: { shuffle }, roles: { input, others }, sequences }: ContributionWork,
  range: Range,
  compared: boolean,
): AsyncGenerator<ScoredRecord> {
  for await (const { name, codes, origin, number } of sequences(range)) {
    const references: Record<string, Tensor> =
      shuffle && compared ? { [input]: shuffledSequences(origin, shuffle, number) } : {}
    yield { name, inputs: { ...others, [input]: { data: codes, shape: [codes.length] } }, references }
  }
}

/** Writes scores. The caller finishes the sink. @returns the largest residual */
export async function writeContributions(batches: AsyncIterable<ScoredBatch>, sink: Sink): Promise<number> {
  let worst = 0
  for await (const batch of batches) {
    await sink.write(batch)
    worst = worstOf(batch.completeness.data, worst)
  }
  return worst
}
