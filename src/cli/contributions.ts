/** Scores of sequences that are compared, into a file: each against the references of the sequence it came from. */

import type { DeepLift } from '../model.js'
import { shuffledSequences } from '../shuffles.js'
import type { Tensor } from '../tensor.js'
import type { ContributionPlan } from './comparison.js'
import type { Reporter } from './console.js'
import type { InputRoles } from './other-inputs.js'
import type { ProgressLine } from './progress-line.js'
import { createSink, type Format } from './sinks/formats.js'
import type { ScoredRecord, Sink, SinkContext } from './sinks/sink.js'
import { writeBatches } from './write-batches.js'

/** A sequence to score. */
export interface ScoredSequence {
  name: string
  codes: Uint8Array
  /** The sequence whose shuffles are its references, and its number: equal pairs have equal references. */
  origin: Uint8Array
  number: number
}

export interface ContributionWork {
  model: DeepLift
  plan: ContributionPlan
  roles: InputRoles
  sink: Sink
  batchSize?: number
  signal: AbortSignal
  line: ProgressLine
  reporter: Reporter
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

/** Writes the scores of all sequences. The caller finishes the sink. @returns the largest residual */
export async function contribute(
  work: ContributionWork,
  sequences: AsyncIterable<ScoredSequence>,
): Promise<number> {
  const { model, plan, sink, batchSize, signal, line, reporter } = work
  let worst = 0
  const batches = model.stream(records(sequences, work), {
    ...plan.choices,
    references: plan.references,
    ...(batchSize !== undefined && { batchSize }),
    signal,
    onProgress: (progress) => {
      worst = progress.worstCompleteness
      line.update(progress)
    },
  })
  await writeBatches(batches, sink, line, reporter)
  return worst
}

async function* records(
  sequences: AsyncIterable<ScoredSequence>,
  { plan: { shuffle }, roles: { input, others } }: ContributionWork,
): AsyncGenerator<ScoredRecord> {
  for await (const { name, codes, origin, number } of sequences) {
    const references: Record<string, Tensor> = shuffle
      ? { [input]: shuffledSequences(origin, shuffle, number) }
      : {}
    yield { name, inputs: { ...others, [input]: { data: codes, shape: [codes.length] } }, references }
  }
}
