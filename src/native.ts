/**
 * The native addon: its types, its loading, and its errors turned into {@link DeepLiftError}.
 *
 * The addon is found through `require` from both module systems, so that one process has one addon and one set of
 * threads however many copies of this module it holds.
 */

import { createRequire } from 'node:module'
import { DEEPLIFT_ERROR_CODES, DeepLiftError, type DeepLiftErrorCode } from './errors.js'
import type { WireModel } from './onnx/wire.js'
import type { ProfileWeights } from './options/head.js'
import type { AxisIndex } from './options/target-index.js'
import type { Variants } from './options/variants.js'

export type FloatArray = Float32Array | Float64Array
export const PRECISIONS = ['float32', 'float64', 'bf16x6', 'bf16x3', 'bf16'] as const
/** The last three are float32 but for the products of convolutions and dense layers. */
export type Precision = (typeof PRECISIONS)[number]

/** A model on its way to a plan. The constructor validates the graph and copies the weights. */
export interface NativeModel {
  /** JSON of {@link NativeInspection}. */
  inspect(): string
  /** @param shared Per input, the reference tensors `[R, …]` of kind `shared`. */
  plan(options: string, shared: (FloatArray | undefined)[]): Promise<NativePlan>
  /** @param options JSON of {@link NativePredictOptions}. */
  predictor(options: string): Promise<NativePredictor>
  /** @param options JSON of {@link NativeMutagenesisOptions}. */
  mutator(options: string): Promise<NativeMutator>
}

/** A plan of saturation mutagenesis. */
export interface NativeMutator {
  /** JSON of {@link NativeMutatorDescription}. */
  describe(): string
  mutate(batch: NativeBatch, cancel: CancelToken): Promise<NativeEffects>
}

export interface NativeEffects {
  /** Examples × targets × size of the effects of one. */
  effects: FloatArray
  /** Examples × targets. */
  output: Float64Array
}

/** A plan of a forward pass. */
export interface NativePredictor {
  /** JSON of {@link NativePredictorDescription}. */
  describe(): string
  /** Every output, examples × size of one example. Batches in flight share the threads, as those of `score`. */
  predict(batch: NativeBatch, cancel: CancelToken): Promise<FloatArray[]>
}

export interface NativePlan {
  /** JSON of {@link NativePlanDescription}. */
  describe(): string
  /** Batches in flight share the threads and are computed in the order of the calls. */
  score(batch: NativeBatch, cancel: CancelToken): Promise<NativeResult>
  /** JSON of {@link NativeResidual} rows, worst first. Needs a plan with `trace`. */
  trace(batch: NativeBatch, cancel: CancelToken): Promise<string>
  /** JSON of {@link NativeTimes}, or `null` for plans that are not `timed`. */
  times(): string
}

export interface CancelToken {
  /** Ends every job that was given this token; their promises reject with ABORTED. */
  cancel(): void
}

interface Addon {
  NativeModel: new (model: WireModel, threads: number) => NativeModel
  CancelToken: new () => CancelToken
  environment(): string
  shuffles(codes: Uint8Array, count: number, seed: number, example: number, unknown: string): Uint8Array
}

export interface NativeInspection {
  inputs: NativeTensorInfo[]
  outputs: NativeTensorInfo[]
  nodes: number
  ops: Record<string, number>
  parameters: number
  opset: number
  source: string
}

export interface NativeTensorInfo {
  name: string
  dtype: string
  dims: (number | null)[]
  dimNames: string[]
  /** False where even the number of axes is unknown. */
  hasShape: boolean
}

export interface PlanOptions {
  /** `shape` is that of one example. `codes` are one byte per position, 0 to 4. */
  inputs: { name: string; shape: number[]; encoding: 'float' | 'codes' }[]
  /** Per input, the axis of `shape` that holds the four letters. */
  channelAxis?: (number | null)[]
  targets: NativeTarget[]
  /** A Sigmoid or Softmax that makes an output is left out, and its logits are explained. */
  peel: boolean
  /** Tensors inside the model that are scored instead of the inputs; none: the inputs. */
  layers: string[]
  rule: string
  /** Of integrated gradients. */
  steps?: number
  overrides?: { node: string; rule: string }[]
  variants: Variants
  multiplyBy?: 'difference' | 'input'
  /** Averages with the scores of the reverse complement, on which `targets` are explained in place of the others. */
  reverseComplement?: { targets: NativeTarget[] }
  /** First-layer mean normalisation of every input with letters. */
  meanNormalised?: boolean
  /** Makes a plan for `trace` instead of `score`. */
  trace?: boolean
  /** Keeps the time of every step: for the benchmark. */
  timed?: boolean
  precision: Precision
  references: NativeReference[]
  outputs: { contributions: boolean; hypothetical: boolean; multipliers: boolean; perReference: boolean }
  /** Bytes per thread. */
  memory: number
}

export interface NativePredictOptions extends Pick<PlanOptions, 'inputs' | 'channelAxis' | 'precision'> {
  outputs: string[]
  /** Bytes per thread. */
  memory: number
}

export interface NativeMutagenesisOptions
  extends Pick<PlanOptions, 'inputs' | 'channelAxis' | 'targets' | 'peel' | 'precision' | 'memory'> {
  /** The input whose letters are changed. */
  input: string
  /** The first position that is changed, and the one behind the last. */
  window?: [number, number]
}

export interface NativeMutatorDescription {
  /** Of the effects of one example on one target. */
  shape: number[]
  /** Per example, where every position has a letter. */
  changes: number
  /** Of one example, counted densely. */
  flopsPerPass: number
  /** Of products that one change computes again. */
  flopsPerChange: number
  memoryPerThread: number
  warnings: string[]
}

export interface NativePredictorDescription {
  /** In the order asked for; shapes are those of one example. */
  outputs: { name: string; shape: number[] }[]
  /** Of one example, counted densely. */
  flopsPerPass: number
  memoryPerThread: number
  isa: string
  warnings: string[]
}

/** Over the flattened tensor of one example; or per axis: a position, null for the sum over all, or over a range. */
export type NativeIndex = number | readonly AxisIndex[]

export interface NativeTarget {
  tensor: string
  index?: NativeIndex
  /** The value at `index` less this one. */
  minus?: NativeIndex
  /** The value at `index` less the mean of the tensor. */
  centred?: boolean
  /** Weights of the flattened tensor of one example. */
  seed?: number[]
  /** The tensor holds the logits of a profile. */
  profile?: ProfileWeights
}

export type NativeReference =
  | { kind: 'zeros' }
  | { kind: 'background'; frequencies: number[] }
  | { kind: 'shared'; count: number }
  | { kind: 'perExample'; count: number }
  | { kind: 'dinucleotide'; count: number; seed: number; unknown: 'symbol' | 'fixed' | 'reject' }
  | { kind: 'self' }

export interface NativeBatch {
  /** Number of the first example in the whole job: its shuffles are keyed by it. */
  first: number
  examples: number
  inputs: (Uint8Array | FloatArray)[]
  /** Per input of kind `perExample`, examples × R × size of one example. */
  references: (FloatArray | undefined)[]
}

export interface NativeResult {
  contributions: FloatArray[]
  hypothetical: FloatArray[]
  multipliers: FloatArray[]
  perReference: FloatArray[]
  output: Float64Array
  referenceOutput: Float64Array
  /** What contributions sum to. */
  delta: Float64Array
  completeness: Float64Array
}

/** How far the contributions that enter a node are from those that leave it: the largest over examples and references. */
export interface NativeResidual {
  node: string
  op: string
  rule: string
  residual: number
  relative: number
}

/** Seconds since the last call of each step: per example in the first pass, per pair in the others. */
export type NativeTimes = Record<'example' | 'pair' | 'multipliers', number>[]

/** What `environment` of the addon says. */
export interface NativeEnvironment {
  isa: string
  available: string[]
  /** What multiplies with `precision: 'bf16x3'` and the like; null if those are computed in float32. */
  bf16Unit: 'amx' | 'emulated' | null
  /** Why AMX cannot be used here, if so. */
  amxMissing: string | null
  /** Why the instruction set asked for by DEEPLIFT_ISA, or the unit asked for by DEEPLIFT_AMX, is not used. */
  problem: string | null
  version: string
  cpus: number
}

let loaded: Addon | undefined

function addon(): Addon {
  if (loaded) return loaded
  try {
    loaded = createRequire(import.meta.url)('#native') as Addon
  } catch (cause) {
    throw new DeepLiftError(
      'NATIVE_LOAD',
      `The native part of deeplift could not be loaded on ${process.platform}-${process.arch}, ` +
        `Node ${process.versions.node}: ${firstLine(cause)}. ` +
        'Install again without --omit=optional or --no-optional; in a clone, run `npm run build:native`; ' +
        'in Electron, unpack *.node from the asar archive.',
      { cause },
    )
  }
  return loaded
}

export function createNativeModel(wire: WireModel, threads: number): NativeModel {
  const { NativeModel } = addon()
  try {
    return new NativeModel(wire, threads)
  } catch (error) {
    throw fromNative(error)
  }
}

export function createCancelToken(): CancelToken {
  return new (addon().CancelToken)()
}

export function nativeEnvironment(): NativeEnvironment {
  return JSON.parse(addon().environment()) as NativeEnvironment
}

/** The dinucleotide shuffles of one example, one after the other. */
export function shuffles(
  codes: Uint8Array,
  key: { count: number; seed: number; example: number; unknown: string },
): Uint8Array {
  try {
    return addon().shuffles(codes, key.count, key.seed, key.example, key.unknown)
  } catch (error) {
    throw fromNative(error)
  }
}

/** `[CODE] text` as a DeepLiftError; anything else is a defect, except errors that are ours already. */
export function fromNative(error: unknown): DeepLiftError {
  if (error instanceof DeepLiftError) return error
  const message = error instanceof Error ? error.message : String(error)
  const [, code, text] = /^\[([A-Z_]+)\] (.*)$/s.exec(message) ?? []
  if (code !== undefined && (DEEPLIFT_ERROR_CODES as readonly string[]).includes(code))
    return new DeepLiftError(code as DeepLiftErrorCode, text!, { cause: error })
  return new DeepLiftError('INTERNAL', `${message} (a defect of deeplift: please report it)`, {
    cause: error,
  })
}

function firstLine(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split('\n', 1)[0]!.replace(/\.$/, '')
}
