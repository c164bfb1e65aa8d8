/** Plans: what native code makes of a model and options, kept while they are asked for again. */

import { type FloatArray, fromNative, type NativeModel, type NativePlan, type PlanOptions } from './native.js'

/** What one step does in one pass of one pair, counted: it depends on shapes and instruction set, not on the clock. */
export interface PassWork {
  /** The kernel that was chosen, where there was a choice: `direct 14x2` is a tile of 14 rows and 2 vectors. */
  kernel: string
  /** Operations of its products that are executed, two per multiply-add, with those that only fill up a vector. */
  flops: number
  /** Bytes of packed weights. */
  weightBytes: number
  /** Bytes of values, differences and multipliers, each counted once. */
  valueBytes: number
  /** Bytes of records: the local multipliers of the pair. */
  recordBytes: number
  /** Pairs that share one reading of the weights. */
  pairsPerReading: number
}

/** Counted work of several steps and passes. */
export interface TotalWork {
  /** Operations of products that are executed. */
  flops: number
  /** Operations of the same products counted densely. */
  denseFlops: number
  /** Bytes read and written. */
  bytes: number
}

/** Buffers of one lane. */
export interface BufferInfo {
  count: number
  bytes: number
}

/** One step of a plan. */
export interface PlanStep {
  /** Name of the node in the file. */
  node: string
  op: string
  /** What rules see of the operation: convolution, dense, element-wise, selection … */
  structure: string
  /** How multipliers pass it. */
  rule: string
  /** For element-wise steps, what kind of layer feeds it; `genomics-default` chooses by it. */
  fedBy: 'convolution' | 'dense' | 'other' | null
  /** Of its output, for one example. Channels are last: activations lie so in memory. */
  shape: number[]
  inputShapes: number[][]
  /** Of one forward pass of one example, counted densely. */
  flops: number
  /** Its values on an example or on a reference. */
  forward: PassWork
  /** What is recorded of a pair; null where contributions do not pass. */
  record: PassWork | null
  /** Multipliers of one target; null where none arrive. */
  adjoint: PassWork | null
  /** Whether a rectifier is computed along with it. */
  fused: boolean
}

/** A plan as data. */
export interface PlanDescription {
  inputs: { name: string; shape: number[]; attributed: boolean }[]
  /** What contributions belong to: the inputs of the model, or the layers that were asked for. */
  scored: { name: string; shape: number[]; letters: boolean; layer: boolean }[]
  /** One per target: its tensor, and what of it is explained, which is another name where a node was peeled. */
  targets: { tensor: string; explained: string; shape: number[] }[]
  rule: string
  precision: string
  /** Instruction set in use. */
  isa: string
  /** What multiplies with the precisions of bf16; null with others, or if those are computed in float32. */
  bf16Unit: 'amx' | 'emulated' | null
  /** References per example. */
  references: number
  /** Whether these are the same for all examples, so that their values are computed once. */
  constantReferences: boolean
  /** Pairs that go through a layer together. */
  pairsPerPass: number
  steps: PlanStep[]
  /** Of one forward pass of one example, counted densely. */
  flopsPerPass: number
  /** The forward pass of an example. */
  workPerExample: TotalWork
  /** The forward pass of a reference, the records, and the multipliers of all targets. */
  workPerPair: TotalWork
  /** Bytes: `pairsPerPass` pairs and one example. */
  memoryPerThread: number
  memoryPerPair: number
  memoryPerExample: number
  /** What the memory holds: per example `examples`, per pair all others. */
  buffers: Record<'examples' | 'references' | 'parts' | 'multipliers' | 'records' | 'winners', BufferInfo>
  /** Bytes of all packed weights that passes of the plan may ask for. Each is packed when it is first used. */
  weightBytes: number
  /** Bytes of those that are packed already, by this plan or by others of the model, which share them. */
  packedBytes: number
  /** Whether contributions sum to the difference of the target. */
  completeRule: boolean
  warnings: string[]
}

/** The plan as it is now: of what it holds, weights may have been packed since it was looked at last. */
export function describePlan(plan: NativePlan): PlanDescription {
  return JSON.parse(plan.describe()) as PlanDescription
}

/** What of a plan does not change. */
export type PlanFacts = Omit<PlanDescription, 'packedBytes'>

const facts = new WeakMap<NativePlan, PlanFacts>()

/** What every job asks of its plan, described once: to count the work of all steps can take longer than a short job. */
export function planFacts(plan: NativePlan): PlanFacts {
  const known = facts.get(plan) ?? describePlan(plan)
  facts.set(plan, known)
  return known
}

interface Entry {
  key: string
  /** A copy: the caller may change a tensor between two calls. */
  shared: (FloatArray | undefined)[]
  plan: Promise<NativePlan>
}

/** A plan holds packed weights, so few are kept. */
const CAPACITY = 4

export class PlanCache {
  /** Most recently used last. */
  #entries: Entry[] = []

  constructor(private readonly model: NativeModel) {}

  async get(options: PlanOptions, shared: readonly (FloatArray | undefined)[]): Promise<NativePlan> {
    const key = JSON.stringify(options)
    const found = this.#entries.find((entry) => entry.key === key && sameTensors(entry.shared, shared))
    const entry = found ?? this.#create(key, shared)
    this.#entries = [...this.#entries.filter((other) => other !== entry), entry].slice(-CAPACITY)
    try {
      return await entry.plan
    } catch (error) {
      this.#entries = this.#entries.filter((other) => other !== entry)
      throw fromNative(error)
    }
  }

  #create(key: string, shared: readonly (FloatArray | undefined)[]): Entry {
    const copy = shared.map((tensor) => tensor?.slice())
    // An async function, so that what native code throws at once becomes a rejection too.
    const plan = (async () => await this.model.plan(key, copy))()
    return { key, shared: copy, plan }
  }
}

function sameTensors(
  a: readonly (FloatArray | undefined)[],
  b: readonly (FloatArray | undefined)[],
): boolean {
  return a.every((tensor, index) => {
    const other = b[index]
    if (!tensor || !other) return tensor === other
    return Buffer.compare(bytesOf(tensor), bytesOf(other)) === 0
  })
}

function bytesOf({ buffer, byteOffset, byteLength }: FloatArray): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
