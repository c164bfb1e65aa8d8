/** Outputs of a model: the forward pass by itself, of tensors or of a stream of records. */

import { blame } from './caller.js'
import { DeepLiftError } from './errors.js'
import {
  allocate,
  type Batching,
  BYTES_PER_CALL,
  type Cost,
  FLOPS_PER_CALL,
  type GivenInput,
  type JobInput,
} from './job.js'
import {
  type FloatArray,
  type NativeBatch,
  type NativePredictOptions,
  type NativePredictor,
  type NativePredictorDescription,
  PRECISIONS,
} from './native.js'
import type { NativeCache } from './native-cache.js'
import {
  checkChoice,
  checkFunction,
  checkKeys,
  checkSignal,
  checkWholeNumber,
  didYouMean,
  invalidOption,
  show,
} from './options/check.js'
import { LETTERS } from './options/layout.js'
import type { PlanChoices } from './options/score-options.js'
import type { TensorInfo } from './options/tensor-info.js'
import { computeBatches } from './pipeline.js'
import { RunMeter, type RunProgress } from './progress.js'
import type { StreamRecord } from './records.js'
import { computeRecords, type RecordJob } from './stream.js'
import { sizeOf, type Tensor } from './tensor.js'

export interface PredictOptions extends Pick<PlanChoices, 'precision' | 'channelAxis'> {
  /** Names of outputs, or of tensors inside the model. Default: all outputs of the model. */
  outputs?: readonly string[]
  /** Examples per native call, and per batch of a stream. No effect on any number. Default: from their size. */
  batchSize?: number
  /** Cancels the work, which rejects with code ABORTED. */
  signal?: AbortSignal
  /** Called after each batch. */
  onProgress?: (progress: RunProgress) => void
}

export interface PredictStreamOptions extends PredictOptions {
  /** Number of records if it is known, for the progress. */
  total?: number
}

/**
 * By name of the output, `[n, …one example]`: Float32Array, or Float64Array with `precision: 'float64'`. Whole numbers
 * and truth values are carried as floats.
 */
export type Predictions = Record<string, Tensor<FloatArray>>

/** The outputs of consecutive records. */
export interface PredictBatch<R extends StreamRecord = StreamRecord> {
  /** Number of the first record, from 0. */
  first: number
  /** The records, in the order of the first axis of every tensor. */
  records: R[]
  outputs: Predictions
}

const PREDICT_KEYS = ['outputs', 'batchSize', 'signal', 'onProgress', 'precision', 'channelAxis'] as const

export const PREDICT_OPTIONS = {
  predict: PREDICT_KEYS,
  predictStream: [...PREDICT_KEYS, 'total'],
} as const satisfies Record<string, readonly string[]>

export interface ResolvedPredict {
  outputs: string[]
  /** Of the model, for messages. */
  known: string[]
  precision: NonNullable<PlanChoices['precision']>
  channelAxis: PlanChoices['channelAxis']
  batchSize: number | undefined
  signal: AbortSignal | undefined
  onProgress: ((progress: RunProgress) => void) | undefined
  total: number | undefined
}

export function resolvePredict(
  options: PredictStreamOptions,
  outputs: readonly TensorInfo[],
  call: keyof typeof PREDICT_OPTIONS,
): ResolvedPredict {
  checkKeys(options, PREDICT_OPTIONS[call], call)
  const { batchSize, total, precision = 'float32' } = options
  const known = outputs.map(({ name }) => name)
  return {
    outputs: resolveNames(options.outputs ?? known),
    known,
    precision: checkChoice(precision, PRECISIONS, 'precision'),
    channelAxis: options.channelAxis,
    batchSize: batchSize === undefined ? undefined : checkWholeNumber(batchSize, 1, 'batchSize'),
    signal: checkSignal(options.signal),
    onProgress: checkFunction(options.onProgress, 'onProgress'),
    total: total === undefined ? undefined : checkWholeNumber(total, 0, 'total'),
  }
}

function resolveNames(names: readonly string[]): string[] {
  const wrong = Array.isArray(names)
    ? names.some((name) => typeof name !== 'string' || name === '') || names.length === 0
    : true
  if (wrong)
    throw invalidOption(`outputs: expected an array of names of outputs, found ${show(names)}.`, {
      option: 'outputs',
    })
  const twice = names.find((name, position) => names.indexOf(name) !== position)
  if (twice !== undefined)
    throw invalidOption(`outputs: ${show(twice)} is named twice.`, { option: 'outputs' })
  return [...names]
}

export type PredictorCache = NativeCache<NativePredictor>

/** Inputs that are computed with and not explained. */
export function fixedInputs(given: readonly GivenInput[]): JobInput[] {
  return given.map(({ layout, codes }) => ({
    layout,
    encoding: codes ? 'codes' : 'float',
    reference: { native: { kind: 'self' } },
  }))
}

export function nativeInputs(
  inputs: readonly JobInput[],
): Required<Pick<NativePredictOptions, 'inputs' | 'channelAxis'>> {
  return {
    inputs: inputs.map(({ layout: { name, shape }, encoding }) => ({ name, shape: [...shape], encoding })),
    channelAxis: inputs.map(({ layout }) => layout.channelAxis ?? null),
  }
}

/** Bytes of one example that go into native code. */
export function bytesInto(inputs: readonly JobInput[], valueBytes: number): number {
  return inputs.reduce(
    (sum, { layout, encoding }) =>
      sum + (encoding === 'codes' ? layout.size / LETTERS : layout.size * valueBytes),
    0,
  )
}

export interface PredictJob extends Batching {
  predictor: NativePredictor
  outputs: NativePredictorDescription['outputs']
  /** Of one example. */
  flopsPerPass: number
}

export async function createPredictJob(
  predictors: PredictorCache,
  { outputs, known, precision, batchSize }: ResolvedPredict,
  given: readonly GivenInput[],
  { memory, threads }: { memory: number; threads: number },
): Promise<PredictJob> {
  const inputs = fixedInputs(given)
  const options: NativePredictOptions = {
    ...nativeInputs(inputs),
    outputs,
    precision,
    memory: Math.floor(memory / threads),
  }
  try {
    const predictor = await predictors.get(options)
    const description = JSON.parse(predictor.describe()) as NativePredictorDescription
    const valueBytes = precision === 'float64' ? 8 : 4
    const into = bytesInto(inputs, valueBytes)
    const out = description.outputs.reduce((sum, { shape }) => sum + valueBytes * sizeOf(shape), 0)
    const byBytes = BYTES_PER_CALL / Math.max(out, into, 1)
    const byWork = (threads * FLOPS_PER_CALL) / Math.max(description.flopsPerPass, 1)
    const size = batchSize ?? Math.max(1, Math.floor(Math.min(byBytes, Math.max(byWork, threads))))
    const { outputs: found, flopsPerPass } = description
    return { predictor, outputs: found, flopsPerPass, inputs, precision, batchSize: size }
  } catch (error) {
    // A name that is no output is looked for inside the model, so native code is the first to miss it.
    const missed = outputs.find((name) => !known.includes(name))
    if (error instanceof DeepLiftError && error.code === 'INVALID_OPTION' && missed !== undefined)
      error.message += didYouMean(missed, known).replace(/^./, '. ')
    throw error
  }
}

/** What one example gives and takes. */
export function predictionCost({ outputs, flopsPerPass, precision }: PredictJob): Cost {
  const valueBytes = precision === 'float64' ? 8 : 4
  return {
    bytes: outputs.reduce((sum, { shape }) => sum + valueBytes * sizeOf(shape), 0),
    flops: flopsPerPass,
  }
}

/** The outputs of all batches in one tensor each, allocated once. */
export async function collectPredictions(
  job: PredictJob,
  batches: Iterable<{ native: NativeBatch; offset: number }>,
  examples: number,
  { onProgress, signal }: ResolvedPredict,
): Promise<Predictions> {
  const meter = new RunMeter(examples)
  const all = job.outputs.map(({ shape }) => allocateAll(examples, sizeOf(shape), job.precision))
  const predict = job.predictor.predict.bind(job.predictor)
  for await (const { batch, result } of computeBatches(predict, batches, signal, 'Predicting')) {
    for (const [index, { shape }] of job.outputs.entries())
      all[index]!.set(result[index]!, batch.offset * sizeOf(shape))
    onProgress?.(meter.count(batch.native.examples))
  }
  return named(job, all, examples)
}

function allocateAll(examples: number, size: number, precision: PredictJob['precision']): FloatArray {
  try {
    return allocate(examples * size, precision)
  } catch (cause) {
    throw new DeepLiftError(
      'INVALID_INPUT',
      `The outputs of ${examples} examples do not fit into memory at once; use predictStream, which gives them in batches.`,
      { cause },
    )
  }
}

function named({ outputs }: PredictJob, data: readonly FloatArray[], examples: number): Predictions {
  return Object.fromEntries(
    outputs.map(({ name, shape }, index) => [name, { data: data[index]!, shape: [examples, ...shape] }]),
  )
}

export async function* streamPredictions<R extends StreamRecord>(
  records: RecordJob<R, PredictJob>,
  { total, onProgress }: ResolvedPredict,
  caller: string,
): AsyncGenerator<PredictBatch<R>> {
  const meter = new RunMeter(total)
  try {
    const predict = ({ predictor }: PredictJob) => predictor.predict.bind(predictor)
    for await (const { job, batch, result } of computeRecords(records, predict, 'Predicting')) {
      const { first, examples } = batch.native
      onProgress?.(meter.count(examples))
      yield { first, records: batch.records, outputs: named(job, result, examples) }
    }
  } catch (error) {
    throw blame(error, caller)
  }
}
