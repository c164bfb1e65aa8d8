/** Inputs of a model matched with what the caller gave: names, ranks, extents, and what open axes become. */

import { DeepLiftError } from './errors.js'
import type { GivenInput } from './job.js'
import { didYouMean, show } from './options/check.js'
import {
  fixedShape,
  type Layout,
  LETTERS,
  layoutOf,
  resolveChannelAxis,
  sequenceShape,
} from './options/layout.js'
import type { PlanChoices } from './options/score-options.js'
import type { InputInfo, OpenShape } from './options/tensor-info.js'
import { checkTensor, type InputData, showShape, type Tensor } from './tensor.js'

/** Inputs of a model by name; each `[n, …]` with the same n, or `[n, length]` of base codes. */
export type Inputs = Readonly<Record<string, Tensor<InputData>>>

export interface MatchedInputs {
  given: GivenInput[]
  /** In the order of `given`. */
  tensors: Tensor[]
  examples: number
}

/** Checks the tensors of a call against the inputs of the model. */
export function matchInputs(
  inputs: unknown,
  expected: readonly InputInfo[],
  channelAxis: PlanChoices['channelAxis'],
): MatchedInputs {
  const values = checkNames(inputs, expected, 'inputs')
  const tensors = expected.map((info) =>
    checkTensor(values[info.name], `input ${JSON.stringify(info.name)}`, byteRank(info, info.shape.length)),
  )
  const given = expected.map((info, index) => matchBatch(info, tensors[index]!, channelAxis))
  const counts = tensors.map(({ shape }) => shape[0]!)
  const odd = counts.findIndex((count) => count !== counts[0])
  if (odd > 0)
    throw new DeepLiftError(
      'INVALID_INPUT',
      `Inputs hold different numbers of examples: ${expected[0]!.name} has ${counts[0]}, ${expected[odd]!.name} has ` +
        `${counts[odd]}.`,
    )
  if (counts[0] === 0)
    throw new DeepLiftError('INVALID_INPUT', 'Inputs hold no examples: their first axis has extent 0.')
  return { given, tensors, examples: counts[0]! }
}

export function checkNames(
  inputs: unknown,
  expected: readonly InputInfo[],
  where: string,
): Record<string, unknown> {
  const names = expected.map(({ name }) => name)
  const example = expected
    .map(({ name, shape }) => `${name}: { data, shape: ${showShape(shape)} }`)
    .join(', ')
  if (typeof inputs !== 'object' || inputs === null)
    throw new DeepLiftError('INVALID_INPUT', `${where}: expected { ${example} }, found ${show(inputs)}.`)
  for (const key of Object.keys(inputs))
    if (!names.includes(key))
      throw new DeepLiftError(
        'INVALID_INPUT',
        `${where}: the model has no input ${JSON.stringify(key)}.${didYouMean(key, names)} It takes { ${example} }.`,
      )
  const missing = names.find((name) => (inputs as Record<string, unknown>)[name] === undefined)
  if (missing !== undefined)
    throw new DeepLiftError(
      'INVALID_INPUT',
      `${where}: input ${JSON.stringify(missing)} is missing. The model takes { ${example} }.`,
    )
  return inputs as Record<string, unknown>
}

/** The rank at which bytes are values: for inputs that are integers or bools in the file. */
export function byteRank({ dtype }: InputInfo, rank: number): number | undefined {
  return dtype.includes('float') ? undefined : rank
}

function matchBatch(
  info: InputInfo,
  { data, shape }: Tensor,
  channelAxis: PlanChoices['channelAxis'],
): GivenInput {
  const axis = resolveChannelAxis(channelAxis, info)
  const rank = info.shape.length
  if (data instanceof Uint8Array) {
    if (shape.length !== 2)
      throw mismatch(
        info,
        shape,
        `Uint8Array data are base codes, whose shape is [n, length]${
          shape.length === rank ? '; for one-hot values use a Float32Array' : ''
        }`,
      )
    return matchCodes(info, shape[1]!, axis, `found ${showShape(shape)} of base codes`)
  }
  if (shape.length === rank - 1 && fits(shape, info.shape.slice(1)))
    throw mismatch(info, shape, `the batch axis is missing; for one example give ${showShape([1, ...shape])}`)
  if (shape.length !== rank || !fits(shape.slice(1), info.shape.slice(1))) throw mismatch(info, shape)
  return { layout: layoutOf(info.name, shape.slice(1), axis), codes: false }
}

/** The layout of an input that is given as `length` base codes. */
function matchCodes(
  info: InputInfo,
  length: number,
  channelAxis: number | undefined,
  found: string,
): GivenInput {
  const layout: Layout = layoutOf(info.name, sequenceShape(info, length, channelAxis), channelAxis)
  if (layout.size / LETTERS !== length)
    throw new DeepLiftError(
      'INVALID_SEQUENCE',
      `input ${JSON.stringify(info.name)}: expected sequences of ${layout.size / LETTERS} bases ` +
        `(${showShape(info.shape)}), ${found}.`,
      { details: { expected: layout.size / LETTERS, found: length } },
    )
  return { layout, codes: true }
}

/** The layout of one example `{ data, shape }` without a batch axis. */
export function matchExample(
  info: InputInfo,
  tensor: Tensor,
  channelAxis: PlanChoices['channelAxis'],
): GivenInput {
  const { data, shape } = tensor
  const axis = resolveChannelAxis(channelAxis, info)
  if (data instanceof Uint8Array)
    return matchCodes(info, data.length, axis, `found ${data.length} base codes`)
  if (!fits(shape, info.shape.slice(1)))
    throw new DeepLiftError(
      'INVALID_INPUT',
      `input ${JSON.stringify(info.name)}: one example has the shape ${showShape(info.shape.slice(1))}, found ` +
        `${showShape(shape)}.`,
    )
  return { layout: layoutOf(info.name, shape, axis), codes: false }
}

/** Layouts for a plan without data: from the file, or as given. */
export function matchShapes(
  expected: readonly InputInfo[],
  shapes: Readonly<Record<string, readonly number[]>>,
  channelAxis: PlanChoices['channelAxis'],
): GivenInput[] {
  const names = expected.map(({ name }) => name)
  const wrong = Object.keys(shapes).find((name) => !names.includes(name))
  if (wrong !== undefined)
    throw new DeepLiftError(
      'INVALID_OPTION',
      `shapes: the model has no input ${JSON.stringify(wrong)}.${didYouMean(wrong, names)}`,
    )
  return expected.map((info) => {
    const shape = shapes[info.name] ?? fixedShape(info)
    if (!shape)
      throw new DeepLiftError(
        'INVALID_OPTION',
        `shapes: input ${JSON.stringify(info.name)} ${showShape(info.shape)} has open axes; give the shape of one ` +
          `example, for example shapes: { ${info.name}: ${showShape(info.shape.slice(1).map((e) => (typeof e === 'number' ? e : 1000)))} }.`,
      )
    if (!fits(shape, info.shape.slice(1))) throw mismatch(info, [1, ...shape])
    return { layout: layoutOf(info.name, shape, resolveChannelAxis(channelAxis, info)), codes: false }
  })
}

function fits(shape: readonly number[], expected: OpenShape): boolean {
  return (
    shape.length === expected.length &&
    shape.every((extent, axis) => typeof expected[axis] !== 'number' || expected[axis] === extent) &&
    shape.every((extent) => extent > 0)
  )
}

function mismatch({ name, shape }: InputInfo, found: readonly number[], why?: string): DeepLiftError {
  return new DeepLiftError(
    'INVALID_INPUT',
    `input ${JSON.stringify(name)}: expected the shape ${showShape(shape)}, found ${showShape(found)}` +
      `${why ? `: ${why}` : ''}.`,
    { details: { input: name, expected: shape, found } },
  )
}
