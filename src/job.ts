/** A job: a plan, the inputs it takes, and the number of examples that one native call gets. */

import { DeepLiftError } from './errors.js'
import type { FloatArray, NativePlan, PlanOptions, Precision } from './native.js'
import { firstNotCode, firstNotFinite, oneHotFromCodes } from './one-hot.js'
import { type Layout, LETTERS } from './options/layout.js'
import { assignReferences, type ResolvedReference, resolveReference } from './options/references.js'
import type { ResolvedChoices } from './options/score-options.js'
import type { PlanCache, PlanDescription } from './plan.js'
import { type ResultShape, resultBytes } from './scores.js'
import type { Tensor, TensorData } from './tensor.js'

export interface JobInput {
  layout: Layout
  /** How native code gets it. */
  encoding: 'codes' | 'float'
  reference: ResolvedReference
}

export interface Job {
  plan: NativePlan
  description: PlanDescription
  inputs: JobInput[]
  shape: ResultShape
  precision: Precision
  /** Examples per native call. */
  batchSize: number
}

/** An input as it was given: its layout, and whether it came as base codes. */
export interface GivenInput {
  layout: Layout
  codes: boolean
  /** References that the first record of a stream brought. */
  fromRecord?: Tensor
}

/**
 * Bytes that go into or come out of one native call: they are copied while JavaScript waits, which this keeps
 * near one millisecond.
 */
const BYTES_PER_CALL = 2e6

/** Arithmetic of one native call, so that progress and cancellation are felt within a fraction of a second. */
const FLOPS_PER_CALL = 5e9

export async function createJob(
  plans: PlanCache,
  choices: ResolvedChoices,
  given: readonly GivenInput[],
  settings: { examples: number | undefined; memory: number; threads: number; batchSize: number | undefined },
): Promise<Job> {
  const specs = assignReferences(
    choices.references,
    given.map(({ layout }) => layout.name),
  )
  const { precision, several, targets, outputs } = choices
  const inputs = given.map(({ layout, codes, fromRecord }): JobInput => {
    const reference = resolveReference(specs.get(layout.name)!, layout, settings.examples, fromRecord)
    const encoding = codes || reference.native.kind === 'dinucleotide' ? 'codes' : 'float'
    return { layout, encoding, reference }
  })
  if (outputs.hypothetical && inputs.every(({ layout }) => layout.channelAxis === undefined))
    throw new DeepLiftError(
      'INVALID_OPTION',
      "outputs: 'hypothetical' needs an input with an axis of 4 letters; if one has it under another extent or " +
        'name, give channelAxis.',
    )
  const options: PlanOptions = {
    inputs: inputs.map(({ layout, encoding }) => ({
      name: layout.name,
      shape: [...layout.shape],
      encoding,
    })),
    channelAxis: inputs.map(({ layout }) => layout.channelAxis ?? null),
    targets,
    rule: choices.rule,
    overrides: choices.overrides,
    multiplyBy: choices.multiplyBy,
    precision,
    references: inputs.map(({ reference }) => reference.native),
    outputs,
    // The budget is for the whole plan, the engine's for one thread.
    memory: Math.floor(settings.memory / settings.threads),
  }
  const references = referenceCount(inputs)
  const shared: (FloatArray | undefined)[] = []
  for (const input of inputs) shared.push(await sharedValues(input, precision))
  const plan = await plans.get(options, shared)
  const description = JSON.parse(plan.describe()) as PlanDescription
  const shape = { layouts: inputs.map(({ layout }) => layout), targets: targets.length, several, references }
  const batchSize =
    settings.batchSize ?? defaultBatchSize(inputs, shape, choices, description, settings.threads)
  return { plan, description, inputs, shape, precision, batchSize }
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

function defaultBatchSize(
  inputs: readonly JobInput[],
  shape: ResultShape,
  choices: ResolvedChoices,
  description: PlanDescription,
  threads: number,
): number {
  const valueBytes = choices.precision === 'float64' ? 8 : 4
  const out = resultBytes(shape, choices.outputs, valueBytes)
  const into = inputs.reduce((sum, { layout, encoding, reference: { native } }) => {
    const own = encoding === 'codes' ? layout.size / LETTERS : layout.size * valueBytes
    return sum + own + (native.kind === 'perExample' ? native.count * layout.size * valueBytes : 0)
  }, 0)
  const byBytes = BYTES_PER_CALL / Math.max(out, into, 1)
  // A forward pass of the example, and a forward and a multiplier pass for each reference.
  const passes = 1 + shape.references * (1 + shape.targets)
  const byWork = (threads * FLOPS_PER_CALL) / Math.max(passes * description.flopsPerPass, 1)
  return Math.max(1, Math.floor(Math.min(byBytes, Math.max(byWork, threads))))
}
