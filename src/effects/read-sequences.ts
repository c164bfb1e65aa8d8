/** Readings of sequences, on one strand or as the mean of both, from a stream of forward passes. */

import { UNKNOWN_BASE } from '../genomics/letters.js'
import type { DeepLift } from '../model.js'
import type { PredictStreamOptions } from '../predict.js'
import type { TensorRecord } from '../records.js'
import { sizeOf, type Tensor } from '../tensor.js'
import { meanReading, type Reading, type Readout, type ReadoutPlan } from './readout.js'

/** Sequences that are compared, and whatever they belong to. */
export interface SequenceGroup<T> {
  item: T
  /** Base codes, one length each. */
  sequences: readonly Uint8Array[]
}

export interface GroupReadings<T> {
  item: T
  readouts: readonly Readout[]
  /** Per sequence, one of each readout. */
  readings: Reading[][]
}

export interface ReadSettings
  extends Pick<PredictStreamOptions, 'signal' | 'batchSize' | 'channelAxis' | 'onProgress'> {
  /** The input that takes the sequences. */
  input: string
  /** Values of one example of the other inputs, the same for every sequence. */
  others: Readonly<Record<string, Tensor>>
  plan: ReadoutPlan
  bothStrands: boolean
}

/** One strand of one sequence on its way through the model. */
interface StrandRecord<T> extends TensorRecord {
  group: SequenceGroup<T>
  /** Index of the sequence in its group. */
  sequence: number
  reverse: boolean
}

/** Groups with their readings, in order. Memory is that of a few batches, whatever the number of groups. */
export async function* readSequences<T>(
  model: DeepLift,
  groups: AsyncIterable<SequenceGroup<T>>,
  settings: ReadSettings,
): AsyncGenerator<GroupReadings<T>> {
  const { plan, bothStrands, signal, batchSize, channelAxis, onProgress } = settings
  const strands = bothStrands ? 2 : 1
  const batches = model.predictStream(strandRecords(groups, settings), {
    outputs: plan.outputs,
    ...(signal && { signal }),
    ...(batchSize !== undefined && { batchSize }),
    ...(channelAxis !== undefined && { channelAxis }),
    // What is computed are strands.
    ...(onProgress && {
      onProgress: ({ done, perSecond, ...progress }) =>
        onProgress({ ...progress, done: Math.floor(done / strands), perSecond: perSecond / strands }),
    }),
  })
  let readouts: Readout[] | undefined
  let readings: Reading[][] = []
  for await (const { records, outputs } of batches) {
    readouts ??= plan.settle(
      Object.fromEntries(Object.entries(outputs).map(([name, { shape }]) => [name, shape.slice(1)])),
    )
    for (const [row, { group, sequence, reverse }] of records.entries()) {
      const found = readouts.map(({ output, read }) => {
        const { data, shape } = outputs[output]!
        const size = sizeOf(shape.slice(1))
        return read(data.subarray(row * size, (row + 1) * size), reverse)
      })
      const forward = readings[sequence]
      readings[sequence] = forward ? found.map((each, index) => meanReading(forward[index]!, each)) : found
      if (sequence + 1 < group.sequences.length || reverse !== bothStrands) continue
      yield { item: group.item, readouts, readings }
      readings = []
    }
  }
}

async function* strandRecords<T>(
  groups: AsyncIterable<SequenceGroup<T>>,
  { input, others, bothStrands }: ReadSettings,
): AsyncGenerator<StrandRecord<T>> {
  const turn = (length: number) =>
    Object.fromEntries(Object.entries(others).map(([name, tensor]) => [name, turnedInput(tensor, length)]))
  for await (const group of groups)
    for (const [sequence, codes] of group.sequences.entries()) {
      const tensor = (data: Uint8Array) => ({ data, shape: [data.length] })
      yield { group, sequence, reverse: false, inputs: { ...others, [input]: tensor(codes) } }
      if (bothStrands)
        yield {
          group,
          sequence,
          reverse: true,
          inputs: { ...turn(codes.length), [input]: tensor(reverseComplement(codes)) },
        }
    }
}

export function reverseComplement(codes: Uint8Array): Uint8Array {
  return codes.map((_, index) => {
    const code = codes[codes.length - 1 - index]!
    return code === UNKNOWN_BASE ? code : 3 - code
  })
}

/** Control tracks `[strands, positions]` change strands; vectors stay unless they are as long as the sequence. */
function turnedInput({ data, shape }: Tensor, length: number): Tensor {
  const tracks = shape.length > 1 || data.length === length
  return { data: tracks ? data.slice().reverse() : data, shape }
}
