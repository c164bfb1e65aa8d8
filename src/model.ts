/** A model, ready to be explained. */

import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { tensorBatches } from './batches.js'
import { blame, callerOf } from './caller.js'
import { collectScores } from './collect.js'
import { DeepLiftError } from './errors.js'
import { type Inputs, matchInputs, matchShapes } from './inputs.js'
import { type Cost, createJob, type GivenInput, type Job, scoreCost } from './job.js'
import {
  collectMutagenesis,
  createMutagenesisJob,
  type Mutagenesis,
  type MutagenesisBatch,
  type MutagenesisOptions,
  type MutagenesisStreamOptions,
  mutagenesisCost,
  resolveMutagenesis,
  streamMutagenesis,
} from './mutagenesis.js'
import {
  createNativeModel,
  type NativeInspection,
  type NativeModel,
  type NativeMutator,
  type NativeResult,
} from './native.js'
import { NativeCache } from './native-cache.js'
import { readOnnx } from './onnx/read.js'
import { checkKeys, checkWholeNumber, didYouMean } from './options/check.js'
import { parseMemory } from './options/memory.js'
import {
  checkOptionKeys,
  type DescribeOptions,
  type ResolvedChoices,
  type ResolvedRun,
  resolveChoices,
  resolveRun,
  type ScoreOptions,
  type StreamOptions,
  type TraceOptions,
} from './options/score-options.js'
import { type InputInfo, type TensorInfo, toInputInfo, toTensorInfo } from './options/tensor-info.js'
import { type Compute, computeBatches } from './pipeline.js'
import { describePlan, PlanCache, type PlanDescription } from './plan.js'
import {
  collectPredictions,
  createPredictJob,
  type PredictBatch,
  type Predictions,
  type PredictJob,
  type PredictOptions,
  type PredictorCache,
  type PredictStreamOptions,
  predictionCost,
  type ResolvedPredict,
  resolvePredict,
  streamPredictions,
} from './predict.js'
import { ProgressMeter } from './progress.js'
import { layoutsOf, type StreamRecord } from './records.js'
import type { Scores } from './scores.js'
import {
  checkRecordSource,
  computeRecords,
  isRecordSource,
  type RecordJob,
  type RecordSource,
  type ScoreBatch,
  streamScores,
} from './stream.js'
import { type NodeResidual, ResidualTable } from './trace.js'

export interface LoadOptions {
  /** Threads that compute, shared by all calls on this model. Default: those that the system offers. */
  threads?: number
  /** What one plan may use for activations: bytes, or text such as `'2GB'`. Default `'1GB'`. */
  memory?: number | string
}

/** What the file holds. */
export interface ModelInfo {
  /** Number of nodes. */
  nodes: number
  /** Nodes per operator. */
  ops: Readonly<Record<string, number>>
  /** Number of trained values. */
  parameters: number
  opset: number
  /** Path of the file, or `<bytes>`. */
  source: string
}

/**
 * ```ts
 * const model = await DeepLift.load('model.onnx')
 * const scores = await model.score({ x: { data, shape: [n, 4, 600] } }, { references: 'zeros', target: 3 })
 * ```
 */
export class DeepLift {
  /** Names, types and shapes. */
  readonly inputs: readonly InputInfo[]
  readonly outputs: readonly TensorInfo[]
  readonly info: ModelInfo
  readonly #plans: PlanCache
  readonly #predictors: PredictorCache
  readonly #mutators: NativeCache<NativeMutator>
  readonly #threads: number
  readonly #memory: number

  private constructor(native: NativeModel, threads: number, memory: number) {
    const { inputs, outputs, ...info } = JSON.parse(native.inspect()) as NativeInspection
    this.inputs = inputs.map(toInputInfo)
    this.outputs = outputs.map(toTensorInfo)
    this.info = info
    this.#plans = new PlanCache(native)
    this.#predictors = new NativeCache((options) => native.predictor(options))
    this.#mutators = new NativeCache((options) => native.mutator(options))
    this.#threads = threads
    this.#memory = memory
  }

  /**
   * Reads an ONNX model: a path or file URL (weights in side files are found beside it), or its bytes.
   *
   * @throws {DeepLiftError} FILE_NOT_FOUND, INVALID_MODEL, UNSUPPORTED_MODEL, UNSUPPORTED_OP, EXTERNAL_DATA,
   *   NATIVE_LOAD; INVALID_INPUT and INVALID_OPTION for wrong arguments
   */
  static async load(source: string | URL | Uint8Array, options: LoadOptions = {}): Promise<DeepLift> {
    const caller = callerOf(DeepLift.load)
    try {
      checkKeys(options, ['threads', 'memory'], 'load')
      const threads = checkWholeNumber(options.threads ?? availableParallelism(), 1, 'threads')
      const memory = parseMemory(options.memory ?? '1GB')
      const wire = await readOnnx(source instanceof URL ? fileURLToPath(source) : source)
      return new DeepLift(createNativeModel(wire, threads), threads, memory)
    } catch (error) {
      throw blame(error, caller)
    }
  }

  /**
   * The plan as data: steps, the rule of each, arithmetic, memory and warnings. Without `references`, zeros.
   *
   * @throws {DeepLiftError} UNSUPPORTED_OP naming the node if the target cannot be explained; INVALID_OPTION
   */
  async describe(options: DescribeOptions = {}): Promise<PlanDescription> {
    const caller = callerOf(this.describe)
    try {
      checkOptionKeys(options, 'describe')
      const choices = resolveChoices({ references: 'zeros', ...options }, this.outputs)
      const given = matchShapes(this.inputs, options.shapes ?? {}, options.channelAxis)
      const { plan } = await this.#createJob(choices, given, { examples: 1, batchSize: 1, trace: false })
      return describePlan(plan)
    } catch (error) {
      throw blame(error, caller)
    }
  }

  /**
   * Scores the examples of the input tensors. Numbers do not depend on batches, threads, or other examples.
   *
   * @throws {DeepLiftError} INVALID_INPUT, INVALID_SEQUENCE, INVALID_OPTION, UNSUPPORTED_OP, ABORTED
   */
  async score(inputs: Inputs, options: ScoreOptions = {}): Promise<Scores> {
    const caller = callerOf(this.score)
    try {
      checkOptionKeys(options, 'score')
      const run = resolveRun(options)
      const choices = resolveChoices(options, this.outputs)
      const { job, batches, examples } = await this.#tensorJob(inputs, choices, run, false)
      const meter = new ProgressMeter(examples, run.onProgress)
      const score: Compute<NativeResult> = job.plan.score.bind(job.plan)
      return await collectScores(computeBatches(score, batches, run.signal), examples, job, meter)
    } catch (error) {
      throw blame(error, caller)
    }
  }

  /**
   * Scores records as they come, in order: sequences such as those of `readFasta`, or `{ inputs }` of one example
   * each. Nothing is read before the first batch is asked for, and no more than a few batches ahead.
   *
   * @throws {DeepLiftError} INVALID_OPTION by the call itself; INVALID_INPUT, INVALID_SEQUENCE, UNSUPPORTED_OP and
   *   ABORTED while iterating; errors of `records` as they are
   */
  stream<R extends StreamRecord>(
    records: RecordSource<R>,
    options: StreamOptions = {},
  ): AsyncGenerator<ScoreBatch<R>> {
    const caller = callerOf(this.stream)
    try {
      checkRecordSource(records, 'stream')
      checkOptionKeys(options, 'stream')
      const run = resolveRun(options)
      const choices = resolveChoices(options, this.outputs)
      return streamScores(this.#recordJob(records, choices, run, false), run, caller)
    } catch (error) {
      throw blame(error, caller)
    }
  }

  /**
   * Where completeness is lost: for each node, how far the contributions that enter it are from those that leave it, the
   * worst first. Takes what `score` or what `stream` takes; several times slower than either.
   *
   * @throws {DeepLiftError} as `score`
   */
  async trace(
    examples: Inputs | RecordSource<StreamRecord>,
    options: TraceOptions = {},
  ): Promise<NodeResidual[]> {
    const caller = callerOf(this.trace)
    try {
      checkOptionKeys(options, 'trace')
      const run = resolveRun(options)
      const choices = resolveChoices(options, this.outputs)
      const residuals = new ResidualTable()
      const trace = ({ plan }: Job): Compute<string> => plan.trace.bind(plan)
      if (isRecordSource(examples)) {
        const records = this.#recordJob(examples, choices, run, true)
        for await (const { result } of computeRecords(records, trace)) residuals.add(result)
      } else {
        const { job, batches } = await this.#tensorJob(examples as Inputs, choices, run, true)
        for await (const { result } of computeBatches(trace(job), batches, run.signal)) residuals.add(result)
      }
      return residuals.rows()
    } catch (error) {
      throw blame(error, caller)
    }
  }

  /**
   * The outputs of the model for the examples of the input tensors: the forward pass alone, which also computes models
   * that cannot be explained. Numbers do not depend on batches, threads, or other examples.
   *
   * @throws {DeepLiftError} INVALID_INPUT, INVALID_SEQUENCE, INVALID_OPTION, UNSUPPORTED_OP, ABORTED
   */
  async predict(inputs: Inputs, options: PredictOptions = {}): Promise<Predictions> {
    const caller = callerOf(this.predict)
    try {
      const choices = resolvePredict(options, this.outputs, 'predict')
      const { given, tensors, examples } = matchInputs(inputs, this.inputs, choices.channelAxis)
      const job = await this.#predictJob(choices, given)
      const data = tensors.map((tensor) => tensor.data)
      const batches = tensorBatches(job.inputs, data, examples, { ...job, first: 0 })
      return await collectPredictions(job, batches, examples, choices)
    } catch (error) {
      throw blame(error, caller)
    }
  }

  /**
   * The outputs for records as they come, in order, as `stream` scores them.
   *
   * @throws {DeepLiftError} INVALID_OPTION by the call itself; INVALID_INPUT, INVALID_SEQUENCE, UNSUPPORTED_OP and
   *   ABORTED while iterating; errors of `records` as they are
   */
  predictStream<R extends StreamRecord>(
    records: RecordSource<R>,
    options: PredictStreamOptions = {},
  ): AsyncGenerator<PredictBatch<R>> {
    const caller = callerOf(this.predictStream)
    try {
      checkRecordSource(records, 'predictStream')
      const choices = resolvePredict(options, this.outputs, 'predictStream')
      const { channelAxis, signal } = choices
      const createJob = (given: GivenInput[]) => this.#predictJob(choices, given)
      const job = { source: records, expected: this.inputs, channelAxis, first: 0, signal, createJob }
      return streamPredictions(job, choices, caller)
    } catch (error) {
      throw blame(error, caller)
    }
  }

  /** What one example such as this record costs `stream`. @internal */
  async scoreCost(record: StreamRecord, options: StreamOptions): Promise<Cost> {
    const choices = resolveChoices(options, this.outputs)
    const { createJob } = this.#recordJob([record], choices, resolveRun(options), false)
    return scoreCost(await createJob(layoutsOf(record, this.inputs, choices.channelAxis)), choices)
  }

  /** What one example such as this record costs `predictStream`. @internal */
  async predictionCost(record: StreamRecord, options: PredictStreamOptions): Promise<Cost> {
    const choices = resolvePredict(options, this.outputs, 'predictStream')
    const given = layoutsOf(record, this.inputs, choices.channelAxis)
    return predictionCost(await this.#predictJob(choices, given))
  }

  /** What one example such as this record costs `mutagenesisStream`. @internal */
  async mutagenesisCost(record: StreamRecord, options: MutagenesisStreamOptions): Promise<Cost> {
    const choices = resolveMutagenesis(options, this.outputs, 'mutagenesisStream')
    const given = layoutsOf(record, this.inputs, choices.channelAxis)
    return mutagenesisCost(await createMutagenesisJob(this.#mutagenesisSettings(), choices, given))
  }

  /**
   * How targets change with every letter at every position of the sequences. A change computes again what depends on it,
   * so that effects equal those of predicting every mutant up to the rounding of the precision.
   *
   * @throws {DeepLiftError} as `predict`
   */
  async mutagenesis(inputs: Inputs, options: MutagenesisOptions = {}): Promise<Mutagenesis> {
    const caller = callerOf(this.mutagenesis)
    try {
      const choices = resolveMutagenesis(options, this.outputs, 'mutagenesis')
      const { given, tensors, examples } = matchInputs(inputs, this.inputs, choices.channelAxis)
      const job = await createMutagenesisJob(this.#mutagenesisSettings(), choices, given)
      const data = tensors.map((tensor) => tensor.data)
      const batches = tensorBatches(job.inputs, data, examples, { ...job, first: 0 })
      return await collectMutagenesis(job, batches, examples, choices)
    } catch (error) {
      throw blame(error, caller)
    }
  }

  /**
   * Mutagenesis of records as they come, in order, as `stream` scores them.
   *
   * @throws {DeepLiftError} as `predictStream`
   */
  mutagenesisStream<R extends StreamRecord>(
    records: RecordSource<R>,
    options: MutagenesisStreamOptions = {},
  ): AsyncGenerator<MutagenesisBatch<R>> {
    const caller = callerOf(this.mutagenesisStream)
    try {
      checkRecordSource(records, 'mutagenesisStream')
      const choices = resolveMutagenesis(options, this.outputs, 'mutagenesisStream')
      const { channelAxis, signal } = choices
      const createJob = (given: GivenInput[]) =>
        createMutagenesisJob(this.#mutagenesisSettings(), choices, given)
      const job = { source: records, expected: this.inputs, channelAxis, first: 0, signal, createJob }
      return streamMutagenesis(job, choices, caller)
    } catch (error) {
      throw blame(error, caller)
    }
  }

  #mutagenesisSettings() {
    return {
      mutators: this.#mutators,
      predictors: this.#predictors,
      memory: this.#memory,
      threads: this.#threads,
    }
  }

  #predictJob(choices: ResolvedPredict, given: GivenInput[]): Promise<PredictJob> {
    return createPredictJob(this.#predictors, choices, given, {
      memory: this.#memory,
      threads: this.#threads,
    })
  }

  async #tensorJob(inputs: Inputs, choices: ResolvedChoices, run: ResolvedRun, trace: boolean) {
    const { given, tensors, examples } = matchInputs(inputs, this.inputs, choices.channelAxis)
    const job = await this.#createJob(choices, given, { examples, batchSize: run.batchSize, trace })
    const batches = tensorBatches(
      job.inputs,
      tensors.map(({ data }) => data),
      examples,
      { batchSize: job.batchSize, first: run.first, precision: job.precision },
    )
    return { job, batches, examples }
  }

  #recordJob<R extends StreamRecord>(
    source: RecordSource<R>,
    choices: ResolvedChoices,
    { batchSize, first, signal }: ResolvedRun,
    trace: boolean,
  ): RecordJob<R> {
    const { channelAxis } = choices
    const createJob = (given: GivenInput[]) =>
      this.#createJob(choices, given, { examples: undefined, batchSize, trace })
    return { source, expected: this.inputs, channelAxis, first, signal, createJob }
  }

  async #createJob(
    choices: ResolvedChoices,
    given: GivenInput[],
    settings: { examples: number | undefined; batchSize: number | undefined; trace: boolean },
  ): Promise<Job> {
    const outputs = this.outputs.map(({ name }) => name)
    try {
      return await createJob(this.#plans, choices, given, {
        ...settings,
        outputs,
        memory: this.#memory,
        threads: this.#threads,
      })
    } catch (error) {
      // A name that is no output is looked for inside the model, so native code is the first to miss it.
      const named = choices.targets.flatMap((target) => ('tensor' in target ? [target.tensor] : []))
      const missed = named.find((name) => !outputs.includes(name))
      if (error instanceof DeepLiftError && error.code === 'INVALID_OPTION' && missed !== undefined)
        error.message += didYouMean(missed, outputs).replace(/^./, '. ')
      throw error
    }
  }
}
