/** Saturation mutagenesis: how targets change with every letter at every position. */

import { blame } from './caller.js'
import { DeepLiftError } from './errors.js'
import { allocate, type Batching, BYTES_PER_CALL, type Cost, FLOPS_PER_CALL, type GivenInput } from './job.js'
import type {
  FloatArray,
  NativeBatch,
  NativeEffects,
  NativeMutator,
  NativeMutatorDescription,
  NativePredictorDescription,
} from './native.js'
import type { NativeCache } from './native-cache.js'
import { checkBoolean, checkKeys, didYouMean, invalidOption, show } from './options/check.js'
import type { SizedOutput } from './options/head.js'
import type { PlanChoices } from './options/score-options.js'
import { type ResolvedTargets, resolveTargets, settleTargets } from './options/target.js'
import type { TensorInfo } from './options/tensor-info.js'
import { computeBatches } from './pipeline.js'
import {
  bytesInto,
  fixedInputs,
  nativeInputs,
  type PredictorCache,
  type PredictStreamOptions,
  resolvePredict,
} from './predict.js'
import { RunMeter } from './progress.js'
import type { StreamRecord } from './records.js'
import { computeRecords, type RecordJob } from './stream.js'
import { sizeOf, type Tensor } from './tensor.js'

export interface MutagenesisOptions
  extends Omit<PredictStreamOptions, 'outputs' | 'total'>,
    Pick<PlanChoices, 'target' | 'peel'> {
  /** The input whose letters are changed. Default: the only one with an axis of letters. */
  input?: string
  /** The first position that is changed, and the one behind the last. Default: all. */
  window?: readonly [start: number, end: number]
}

export interface MutagenesisStreamOptions extends MutagenesisOptions {
  /** Number of records if it is known, for the progress. */
  total?: number
}

/** `n` examples, `T` targets; the axis of targets is there only if `target` was an array. */
export interface Mutagenesis {
  /**
   * The target with a letter at a position less the target of the sequence itself, `[n, T?, …one example]` as the input
   * is laid out, over the window; 0 for the letters that are there.
   */
  effects: Tensor<FloatArray>
  /** The target of each sequence itself, `[n, T?]`. */
  output: Tensor<Float64Array>
  /** Such as a target that is looked at behind a saturating layer. */
  warnings: readonly string[]
}

/** The effects of consecutive records. */
export interface MutagenesisBatch<R extends StreamRecord = StreamRecord> extends Mutagenesis {
  /** Number of the first record, from 0. */
  first: number
  /** The records, in the order of the first axis of every tensor. */
  records: R[]
}

const MUTAGENESIS_KEYS = [
  ...['target', 'peel', 'input', 'window'],
  ...['batchSize', 'signal', 'onProgress', 'precision', 'channelAxis'],
] as const

const KNOWN = {
  mutagenesis: MUTAGENESIS_KEYS,
  mutagenesisStream: [...MUTAGENESIS_KEYS, 'total'],
} as const satisfies Record<string, readonly string[]>

export interface ResolvedMutagenesis
  extends Omit<ReturnType<typeof resolvePredict>, 'outputs'>,
    ResolvedTargets {
  peel: boolean
  input: string | undefined
  window: [number, number] | undefined
}

export function resolveMutagenesis(
  options: MutagenesisStreamOptions,
  outputs: readonly TensorInfo[],
  call: keyof typeof KNOWN,
): ResolvedMutagenesis {
  checkKeys(options, KNOWN[call], call)
  const { target, peel = true, input, window, ...rest } = options
  if (input !== undefined && typeof input !== 'string')
    throw invalidOption(`input: expected the name of an input, found ${show(input)}.`, { option: 'input' })
  return {
    ...resolvePredict(rest, outputs, 'predictStream'),
    ...resolveTargets(target, outputs),
    peel: checkBoolean(peel, 'peel'),
    input,
    window: resolveWindow(window),
  }
}

function resolveWindow(window: unknown): [number, number] | undefined {
  if (window === undefined) return undefined
  const ends = window as number[]
  const whole = Array.isArray(window) && ends.length === 2 && ends.every((end) => Number.isSafeInteger(end))
  if (!whole || ends[0]! < 0 || ends[0]! >= ends[1]!)
    throw invalidOption(
      `window: expected [start, end], positions of which the second is not changed any more; found ${show(window)}.`,
      { option: 'window' },
    )
  return [ends[0]!, ends[1]!]
}

export interface MutagenesisJob extends Batching {
  mutator: NativeMutator
  description: NativeMutatorDescription
  targets: number
  several: boolean
}

export interface MutagenesisSettings {
  mutators: NativeCache<NativeMutator>
  predictors: PredictorCache
  memory: number
  threads: number
}

export async function createMutagenesisJob(
  { mutators, predictors, memory, threads }: MutagenesisSettings,
  choices: ResolvedMutagenesis,
  given: readonly GivenInput[],
): Promise<MutagenesisJob> {
  const { peel, precision, window, several } = choices
  const inputs = fixedInputs(given)
  const common = { ...nativeInputs(inputs), precision, memory: Math.floor(memory / threads) }
  const shapes = async (): Promise<SizedOutput[]> => {
    const predictor = await predictors.get({ ...common, outputs: choices.known })
    return (JSON.parse(predictor.describe()) as NativePredictorDescription).outputs
  }
  const targets = await settleTargets(choices.targets, shapes)
  const input = changedInput(given, choices.input)
  const mutator = await mutators.get({ ...common, peel, input, targets, ...(window && { window }) })
  const description = JSON.parse(mutator.describe()) as NativeMutatorDescription
  const valueBytes = precision === 'float64' ? 8 : 4
  const bytes = bytesInto(inputs, valueBytes) + valueBytes * targets.length * sizeOf(description.shape)
  const size = Math.min(
    BYTES_PER_CALL / bytes,
    (threads * FLOPS_PER_CALL) / Math.max(flopsOf(description), 1),
  )
  const batchSize = choices.batchSize ?? Math.max(1, Math.floor(size))
  return { mutator, description, targets: targets.length, several, inputs, precision, batchSize }
}

/** Of one example. */
function flopsOf({ flopsPerPass, changes, flopsPerChange }: NativeMutatorDescription): number {
  return flopsPerPass + changes * flopsPerChange
}

/** What one example gives and takes. */
export function mutagenesisCost({ description, targets, precision }: MutagenesisJob): Cost {
  const valueBytes = precision === 'float64' ? 8 : 4
  return { bytes: valueBytes * targets * sizeOf(description.shape), flops: flopsOf(description) }
}

function changedInput(given: readonly GivenInput[], asked: string | undefined): string {
  const names = given.map(({ layout }) => layout.name)
  if (asked !== undefined) {
    if (names.includes(asked)) return asked
    throw invalidOption(
      `input: the model has no input ${JSON.stringify(asked)}.${didYouMean(asked, names)}`,
      { option: 'input' },
    )
  }
  const letters = given.filter(({ layout }) => layout.channelAxis !== undefined)
  if (letters.length === 1) return letters[0]!.layout.name
  throw invalidOption(
    letters.length === 0
      ? 'mutagenesis needs an input with an axis of 4 letters; if one has it under another extent or name, give channelAxis.'
      : `input: say whose letters are changed: ${letters.map(({ layout }) => layout.name).join(' or ')}.`,
    { option: 'input' },
  )
}

/** The effects of all batches in one tensor, allocated once. */
export async function collectMutagenesis(
  job: MutagenesisJob,
  batches: Iterable<{ native: NativeBatch; offset: number }>,
  examples: number,
  { onProgress, signal }: ResolvedMutagenesis,
): Promise<Mutagenesis> {
  const meter = new RunMeter(examples)
  const row = job.targets * sizeOf(job.description.shape)
  const all: NativeEffects = {
    effects: allocateAll(examples * row, job),
    output: new Float64Array(examples * job.targets),
  }
  const mutate = job.mutator.mutate.bind(job.mutator)
  for await (const { batch, result } of computeBatches(mutate, batches, signal, 'Mutagenesis')) {
    all.effects.set(result.effects, batch.offset * row)
    all.output.set(result.output, batch.offset * job.targets)
    onProgress?.(meter.count(batch.native.examples))
  }
  return shaped(job, all, examples)
}

function allocateAll(length: number, { precision }: MutagenesisJob): FloatArray {
  try {
    return allocate(length, precision)
  } catch (cause) {
    throw new DeepLiftError(
      'INVALID_INPUT',
      'The effects do not fit into memory at once; use mutagenesisStream, which gives them in batches.',
      { cause },
    )
  }
}

function shaped(
  { description, targets, several }: MutagenesisJob,
  { effects, output }: NativeEffects,
  examples: number,
): Mutagenesis {
  const rows = several ? [examples, targets] : [examples]
  return {
    effects: { data: effects, shape: [...rows, ...description.shape] },
    output: { data: output, shape: rows },
    warnings: description.warnings,
  }
}

export async function* streamMutagenesis<R extends StreamRecord>(
  records: RecordJob<R, MutagenesisJob>,
  { total, onProgress }: ResolvedMutagenesis,
  caller: string,
): AsyncGenerator<MutagenesisBatch<R>> {
  const meter = new RunMeter(total)
  try {
    const mutate = ({ mutator }: MutagenesisJob) => mutator.mutate.bind(mutator)
    for await (const { job, batch, result } of computeRecords(records, mutate, 'Mutagenesis')) {
      const { first, examples } = batch.native
      onProgress?.(meter.count(examples))
      yield { first, records: batch.records, ...shaped(job, result, examples) }
    }
  } catch (error) {
    throw blame(error, caller)
  }
}
