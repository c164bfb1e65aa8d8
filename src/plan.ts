/** Plans: what native code makes of a model and options, kept while they are asked for again. */

import { type FloatArray, fromNative, type NativeModel, type NativePlan, type PlanOptions } from './native.js'

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
  /** Of its output, for one example. */
  shape: number[]
  /** Of one forward pass of one example. */
  flops: number
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
  /** References per example. */
  references: number
  steps: PlanStep[]
  /** Of one forward pass of one example. */
  flopsPerPass: number
  /** Bytes. */
  memoryPerThread: number
  /** Bytes of packed weights. */
  weightBytes: number
  /** Whether contributions sum to the difference of the target. */
  completeRule: boolean
  warnings: string[]
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
