/** The value of a target in outputs that are there: what `output` of scores is, after a forward pass. */

import type { FloatArray, NativeIndex, NativeTarget } from '../native.js'
import { showShape, sizeOf } from '../tensor.js'
import { invalidOption } from './check.js'
import { type AxisIndex, resolveIndex } from './target-index.js'

/** A target whose index fits `shape`, that of one example of its tensor. @throws {DeepLiftError} INVALID_OPTION */
export function fitTarget(target: NativeTarget, shape: readonly number[], where: string): NativeTarget {
  const { tensor, index, minus, seed } = target
  const size = sizeOf(shape)
  if (seed ? seed.length !== size : index === undefined && size !== 1)
    throw invalidOption(
      `${where}: ${JSON.stringify(tensor)} has the shape ${showShape(shape)} per example; ` +
        (seed ? `the seed has ${seed.length} weights.` : 'say which of its values is meant.'),
    )
  const resolved = (each: NativeIndex) => resolveIndex(each, { name: tensor, shape }, where)
  return {
    ...target,
    ...(index !== undefined && { index: resolved(index) }),
    ...(minus !== undefined && { minus: resolved(minus) }),
  }
}

/**
 * @param target That fits `shape`.
 * @param values Of the target's tensor, one example.
 */
export function targetValue(target: NativeTarget, values: FloatArray, shape: readonly number[]): number {
  const { index, minus, centred, seed } = target
  if (seed) return seed.reduce((sum, weight, at) => sum + weight * values[at]!, 0)
  const value = valueAt(index ?? 0, values, shape)
  if (minus !== undefined) return value - valueAt(minus, values, shape)
  return centred ? value - meanOf(values) : value
}

function meanOf(values: FloatArray): number {
  let sum = 0
  for (const value of values) sum += value
  return sum / values.length
}

function valueAt(index: NativeIndex, values: FloatArray, shape: readonly number[]): number {
  return typeof index === 'number' ? values[index]! : sumOver(index, values, shape, 0, 0)
}

/** The sum over the positions of `index` from `axis` on, within the block that starts at `offset` blocks of that axis. */
function sumOver(
  index: readonly AxisIndex[],
  values: FloatArray,
  shape: readonly number[],
  axis: number,
  offset: number,
): number {
  if (axis === shape.length) return values[offset]!
  const each = index[axis]!
  const extent = shape[axis]!
  const [from, to] = each === null ? [0, extent] : typeof each === 'number' ? [each, each + 1] : each
  let sum = 0
  for (let position = from; position < to; position++)
    sum += sumOver(index, values, shape, axis + 1, offset * extent + position)
  return sum
}
