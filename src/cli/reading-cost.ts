/** What it costs to read something from outputs. */

import type { ReadSettings, SequenceGroup } from '../effects/read-sequences.js'
import type { Cost } from '../job.js'
import type { DeepLift } from '../model.js'
import { noExamples } from './jobs/job.js'

const BYTES = Float64Array.BYTES_PER_ELEMENT

/** Of one group, which gives `numbers`: every strand of every sequence goes through the model. */
export async function readingCost(
  model: DeepLift,
  groups: AsyncIterable<SequenceGroup<unknown>>,
  { input, others, plan, bothStrands, channelAxis }: ReadSettings,
  numbers: number,
): Promise<Cost> {
  for await (const { sequences } of groups) {
    const [codes] = sequences
    const record = { inputs: { ...others, [input]: { data: codes!, shape: [codes!.length] } } }
    const { flops } = await model.predictionCost(record, {
      outputs: plan.outputs,
      ...(channelAxis !== undefined && { channelAxis }),
    })
    return { bytes: numbers * BYTES, flops: flops * sequences.length * (bothStrands ? 2 : 1) }
  }
  throw noExamples()
}
