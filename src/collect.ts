/** The results of many native calls in one tensor per output, allocated once. */

import { DeepLiftError } from './errors.js'
import { allocate, type Job } from './job.js'
import type { NativeResult } from './native.js'
import { OUTPUT_NAMES } from './options/score-options.js'
import type { Computed } from './pipeline.js'
import type { ProgressMeter } from './progress.js'
import { type Scores, toScores } from './scores.js'

const PER_TARGET = ['output', 'referenceOutput', 'delta', 'completeness'] as const

export async function collectScores(
  computed: AsyncIterable<Computed<{ offset: number; native: { examples: number } }, NativeResult>>,
  examples: number,
  job: Job,
  meter: ProgressMeter,
): Promise<Scores> {
  let all: NativeResult | undefined
  for await (const { batch, result } of computed) {
    all ??= allocateLike(result, batch.native.examples, examples, job)
    copyInto(all, result, batch.offset, batch.native.examples)
    meter.add(batch.native.examples, result.completeness)
  }
  return toScores(all!, examples, job.shape, meter.worst, [...job.description.warnings])
}

function allocateLike(
  result: NativeResult,
  count: number,
  examples: number,
  { precision }: Job,
): NativeResult {
  const grow = (length: number) => (length / count) * examples
  try {
    const all = Object.fromEntries(
      PER_TARGET.map((key) => [key, new Float64Array(grow(result[key].length))]),
    ) as unknown as NativeResult
    for (const key of OUTPUT_NAMES)
      all[key] = result[key].map((data) => allocate(grow(data?.length ?? 0), precision))
    return all
  } catch (cause) {
    throw new DeepLiftError(
      'INVALID_INPUT',
      `The scores of ${examples} examples do not fit into memory at once; use stream, which gives them in batches.`,
      { cause },
    )
  }
}

function copyInto(all: NativeResult, result: NativeResult, offset: number, count: number): void {
  const at = (data: { length: number }) => (data.length / count) * offset
  for (const key of PER_TARGET) all[key].set(result[key], at(result[key]))
  for (const key of OUTPUT_NAMES)
    for (const [index, data] of result[key].entries()) if (data) all[key][index]!.set(data, at(data))
}
