/** How one input is laid out: the shape of one example, and the axis of its four letters. */

import { DeepLiftError } from '../errors.js'
import { showShape, sizeOf } from '../tensor.js'
import { checkWholeNumber, invalidOption, show } from './check.js'
import type { InputInfo, OpenShape } from './tensor-info.js'

export const LETTERS = 4

export interface Layout {
  readonly name: string
  /** Of one example, without the batch axis. */
  readonly shape: readonly number[]
  /** Elements of one example. */
  readonly size: number
  /** The axis of `shape` that holds A, C, G, T; undefined if there is none. */
  readonly channelAxis: number | undefined
  /** Elements between the letters of one position. */
  readonly letterStride: number
}

export function layoutOf(
  name: string,
  shape: readonly number[],
  channelAxis: number | undefined = letterAxis(shape),
): Layout {
  if (channelAxis !== undefined && shape[channelAxis] !== LETTERS)
    throw invalidOption(
      `channelAxis: axis ${channelAxis + 1} of input ${JSON.stringify(name)} has ${shape[channelAxis]} channels; ` +
        'sequences need 4, for A, C, G and T.',
    )
  const letterStride = channelAxis === undefined ? 0 : sizeOf(shape.slice(channelAxis + 1))
  return { name, shape, size: sizeOf(shape), channelAxis, letterStride }
}

/** The axis of four letters: the only one of extent 4; of several the first axis, then the last. */
function letterAxis(shape: OpenShape): number | undefined {
  const axes = shape.flatMap((extent, axis) => (extent === LETTERS ? [axis] : []))
  if (axes.length <= 1 || axes[0] === 0) return axes[0]
  return axes.at(-1)
}

/** `channelAxis` as users give it counts the batch axis, as the shape of the input does. */
export function resolveChannelAxis(
  option: number | Readonly<Record<string, number>> | undefined,
  input: InputInfo,
): number | undefined {
  const axis = typeof option === 'object' && option !== null ? option[input.name] : option
  if (axis === undefined) return undefined
  checkWholeNumber(axis, 1, 'channelAxis')
  if (axis >= input.shape.length)
    throw invalidOption(
      `channelAxis: input ${JSON.stringify(input.name)} has the axes ${showShape(input.shape)}; found ${show(axis)}.`,
    )
  return axis - 1
}

/** The shape of one example of `length` positions, for inputs whose file leaves the length open. */
export function sequenceShape(input: InputInfo, length: number, channelAxis: number | undefined): number[] {
  const shape = input.shape.slice(1)
  const axis = channelAxis ?? letterAxis(shape)
  if (axis === undefined)
    throw new DeepLiftError(
      'INVALID_INPUT',
      `Input ${JSON.stringify(input.name)} ${showShape(input.shape)} has no axis of 4 channels, so it does not take ` +
        'sequences; give { data, shape } with its values. If an open axis holds the letters, name it with channelAxis.',
    )
  const open = shape.flatMap((extent, each) => (each !== axis && typeof extent !== 'number' ? [each] : []))
  const fixed = shape.reduce<number>(
    (product, extent, each) => (each !== axis && typeof extent === 'number' ? product * extent : product),
    1,
  )
  if (open.length > 1)
    throw new DeepLiftError(
      'INVALID_INPUT',
      `Input ${JSON.stringify(input.name)} ${showShape(input.shape)} has several open axes, so a sequence of ` +
        `${length} bases does not tell its shape; give { data, shape } with one-hot values.`,
    )
  return shape.map((extent, each) => {
    if (each === axis) return LETTERS
    return typeof extent === 'number' ? extent : length / fixed
  })
}

/** The shape of one example if the file fixes it. */
export function fixedShape(input: InputInfo): number[] | undefined {
  const shape = input.shape.slice(1)
  return shape.every((extent) => typeof extent === 'number') ? (shape as number[]) : undefined
}
