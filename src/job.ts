/** A job: a plan, the inputs it takes, and the number of examples that one native call gets. */

import { DeepLiftError } from './errors.js'
import type { FloatArray, NativePlan, Precision } from './native.js'
import { firstNotCode, firstNotFinite, oneHotFromCodes } from './one-hot.js'
import { type Layout, LETTERS } from './options/layout.js'
import { assignReferences, type ResolvedReference, resolveReference } from './options/references.js'
import type { ResolvedChoices } from './options/score-options.js'
import { type PlanCache, type PlanFacts, planFacts } from './plan.js'
import { planOptions } from './plan-options.js'
import { type ResultShape, resultBytes } from './scores.js'
import type { Tensor, TensorData } from './tensor.js'

export interface JobInput {
  layout: Layout
  /** How native code gets it. */
  encoding: 'codes' | 'float'
  reference: ResolvedReference
}

/** What cuts examples into native batches. */
export interface Batching {
  inputs: JobInput[]
  precision: Precision
  /** Examples per native call. */
  batchSize: number
}

export interface Job extends Batching {
  plan: NativePlan
  description: PlanFacts
  shape: ResultShape
}

/** An input as it was given: its layout, and whether it came as base codes. */
export interface GivenInput {
  layout: Layout
  codes: boolean
  /** References that the first record of a stream brought. */
  fromRecord?: Tensor
}

/**
 * Bytes that go into or come out of one native call: they are copied while JavaScript waits, and threads wait for the
 * first call. This keeps both near a tenth of a millisecond.
 */
export const BYTES_PER_CALL = 2.5e5

/** Arithmetic of one native call, so that progress and cancellation are felt within a fraction of a second. */
export const FLOPS_PER_CALL = 5e9

/** What one example costs. */
export interface Cost {
  /** Of its results. */
  bytes: number
  flops: number
}

interface JobSettings {
  /** Undefined where it is not known in advance. */
  examples: number | undefined
  memory: number
  threads: number
  batchSize: number | undefined
  /** Names of the outputs of the model. */
  outputs: readonly string[]
  /** Whether the plan is for `trace`. */
  trace: boolean
}

export async function createJob(
  plans: PlanCache,
  choices: ResolvedChoices,
  given: readonly GivenInput[],
  settings: JobSettings,
): Promise<Job> {
  const specs = assignReferences(
    choices.references,
    given.map(({ layout }) => layout.name),
  )
  const inputs = given.map(({ layout, codes, fromRecord }): JobInput => {
    const reference = resolveReference(specs.get(layout.name)!, layout, settings.examples, fromRecord)
    const encoding = codes || reference.native.kind === 'dinucleotide' ? 'codes' : 'float'
    return { layout, encoding, reference }
  })
  checkLetters(inputs, choices)
  const { precision, several } = choices
  const options = await planOptions(plans, choices, inputs, {
    outputs: settings.outputs,
    trace: settings.trace,
    // The budget is for the whole plan, the engine's for one thread.
    memory: Math.floor(settings.memory / settings.threads),
  })
  const references = referenceCount(inputs)
  const shared: (FloatArray | undefined)[] = []
  for (const input of inputs) shared.push(await sharedValues(input, precision))
  const plan = await plans.get(options, shared)
  const description = planFacts(plan)
  const shape = { scored: description.scored, targets: options.targets.length, several, references }
  const batchSize =
    settings.batchSize ??
    defaultBatchSize(inputs, scoreCost({ shape, description }, choices), choices, settings.threads)
  return { plan, description, inputs, shape, precision, batchSize }
}

/** Refuses what only sequences have, for models that take none. */
function checkLetters(inputs: readonly JobInput[], choices: ResolvedChoices): void {
  if (inputs.some(({ layout }) => layout.channelAxis !== undefined)) return
  const asked = [
    choices.outputs.hypothetical && "outputs: 'hypothetical'",
    choices.reverseTargets && 'reverseComplement',
    choices.meanNormalised && 'meanNormalised',
  ].find((each) => each)
  if (asked)
    throw new DeepLiftError(
      'INVALID_OPTION',
      `${asked} needs an input with an axis of 4 letters; if one has it under another extent or name, give channelAxis.`,
    )
}

function referenceCount(inputs: readonly JobInput[]): number {
  const counts = inputs.map(({ reference: { native } }) => ('count' in native ? native.count : 1))
  const most = Math.max(...counts)
  const odd = counts.findIndex((count) => count !== 1 && count !== most)
  if (odd >= 0)
    throw new DeepLiftError(
      'INVALID_OPTION',
      `references: every input has one reference or as many as the others; ${inputs[odd]!.layout.name} has ` +
        `${counts[odd]}, ${inputs[counts.indexOf(most)]!.layout.name} has ${most}.`,
    )
  return most
}

async function sharedValues(
  { layout, reference }: JobInput,
  precision: Precision,
): Promise<FloatArray | undefined> {
  const { native, values } = reference
  if (native.kind !== 'shared') return undefined
  const { data } = values!.tensor
  const where = `references of input ${JSON.stringify(layout.name)}`
  const floats = allocate(native.count * layout.size, precision)
  for (let index = 0; index < native.count; index++) {
    // Thousands of shared references take a while to check.
    if (index % 256 === 255) await new Promise(setImmediate)
    const perReference = data.length / native.count
    const one = data.subarray(index * perReference, (index + 1) * perReference)
    writeReference(one, layout, floats.subarray(index * layout.size, (index + 1) * layout.size), () => where)
  }
  return floats
}

/** Writes one reference, or several in a row, as values. */
export function writeReference(
  given: TensorData,
  layout: Layout,
  values: Float32Array | Float64Array,
  where: () => string,
): void {
  if (given instanceof Uint8Array && layout.channelAxis !== undefined) {
    const position = firstNotCode(given)
    if (position >= 0) throw notCode(given[position]!, position, where())
    const length = layout.size / LETTERS
    for (let first = 0; first < given.length; first += length)
      oneHotFromCodes(
        given.subarray(first, first + length),
        layout,
        values.subarray(first * LETTERS, (first + length) * LETTERS),
      )
    return
  }
  values.set(given)
  checkReference(values, where)
}

/** Refuses values that are no numbers. */
export function checkReference(values: FloatArray, where: () => string): void {
  const wrong = firstNotFinite(values)
  if (wrong >= 0)
    throw new DeepLiftError(
      'INVALID_INPUT',
      `${where()}: element ${wrong} is ${values[wrong]}; numbers are needed.`,
    )
}

export function allocate(length: number, precision: Precision): FloatArray {
  return precision === 'float64' ? new Float64Array(length) : new Float32Array(length)
}

export function notCode(code: number, position: number, where: string): DeepLiftError {
  return new DeepLiftError(
    'INVALID_SEQUENCE',
    `${where}, position ${position}: found the base code ${code}; codes are 0 to 3 for A, C, G, T and 4 for unknown.`,
    { details: { position, found: code } },
  )
}

/** Results and arithmetic of one example. */
export function scoreCost(
  { shape, description }: Pick<Job, 'shape' | 'description'>,
  { outputs, steps, precision }: ResolvedChoices,
): Cost {
  // A forward pass of the example, and a forward and a multiplier pass for each reference, or for each step to it.
  const passes = 1 + shape.references * (steps ?? 1) * (1 + shape.targets)
  return {
    bytes: resultBytes(shape, outputs, precision === 'float64' ? 8 : 4),
    flops: passes * description.flopsPerPass,
  }
}

function defaultBatchSize(
  inputs: readonly JobInput[],
  cost: Cost,
  { precision }: ResolvedChoices,
  threads: number,
): number {
  const valueBytes = precision === 'float64' ? 8 : 4
  const into = inputs.reduce((sum, { layout, encoding, reference: { native } }) => {
    const own = encoding === 'codes' ? layout.size / LETTERS : layout.size * valueBytes
    return sum + own + (native.kind === 'perExample' ? native.count * layout.size * valueBytes : 0)
  }, 0)
  const byBytes = BYTES_PER_CALL / Math.max(cost.bytes, into, 1)
  const byWork = (threads * FLOPS_PER_CALL) / Math.max(cost.flops, 1)
  return Math.max(1, Math.floor(Math.min(byBytes, Math.max(byWork, threads))))
}
