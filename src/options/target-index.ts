/** Positions in a tensor of one example: one value, or a sum over ranges and whole axes. */

import type { NativeIndex } from '../native.js'
import { showShape, sizeOf } from '../tensor.js'
import { invalidOption, show } from './check.js'
import type { OpenShape } from './tensor-info.js'

/** On one axis: a position, `null` for the sum over the axis, or `[from, to]` for the sum over positions from ≤ i < to. */
export type AxisIndex = number | null | readonly [from: number, to: number]

/** A position in the flattened tensor of one example, or one entry per axis (without the batch axis). */
export type TargetIndex = number | readonly AxisIndex[]

/** The tensor that an index belongs to; without a shape where the file does not even fix the number of axes. */
export interface IndexedTensor {
  name: string
  shape: OpenShape | undefined
}

/** The number of values, if the file fixes it. */
export function knownSize(shape: OpenShape | undefined): number | undefined {
  return shape?.every((extent) => typeof extent === 'number') ? sizeOf(shape as number[]) : undefined
}

/** Checks what the file fixes; what it leaves open is checked by native code, which knows the shape. */
export function resolveIndex(index: TargetIndex, tensor: IndexedTensor, where: string): NativeIndex {
  if (typeof index === 'number') return resolveFlat(index, tensor, where)
  const { name, shape } = tensor
  if (!Array.isArray(index))
    throw invalidOption(
      `${where}: index: expected a whole number, or an array with a number, null or [from, to] per axis; found ` +
        `${show(index)}.`,
    )
  const axes = index.map((each: unknown) => checkAxis(each, index, where))
  if (shape && axes.length !== shape.length)
    throw invalidOption(
      `${where}: index ${show(index)} has ${axes.length} ${axes.length === 1 ? 'entry' : 'entries'}; one example of ` +
        `${JSON.stringify(name)} has the ${shape.length} axes ${showShape(shape)}.`,
    )
  for (const [axis, each] of axes.entries()) {
    const extent = shape?.[axis]
    if (typeof extent !== 'number') continue
    const last = typeof each === 'number' ? each : each === null ? 0 : each[1] - 1
    if (last >= extent)
      throw invalidOption(
        `${where}: index ${show(index)} is beyond ${JSON.stringify(name)}, of shape ${showShape(shape!)} per example.`,
      )
  }
  return flattened(axes, shape) ?? axes
}

function resolveFlat(index: number, { name, shape }: IndexedTensor, where: string): number {
  if (!isPosition(index))
    throw invalidOption(`${where}: index: expected a whole number from 0, found ${show(index)}.`)
  const size = knownSize(shape)
  if (size !== undefined && index >= size)
    throw invalidOption(
      `${where}: index ${index} is beyond ${JSON.stringify(name)}, which has ${size} ` +
        `${size === 1 ? 'value' : 'values'} per example (indices count from 0).`,
    )
  return index
}

function isPosition(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function checkAxis(each: unknown, index: unknown, where: string): AxisIndex {
  if (each === null || isPosition(each)) return each
  if (Array.isArray(each) && each.length === 2 && each.every(isPosition) && each[0]! < each[1]!)
    return [each[0]!, each[1]!]
  throw invalidOption(
    `${where}: index ${show(index)}: expected whole numbers from 0, null for a whole axis, or [from, to] with from < to; ` +
      `found ${show(each)}.`,
  )
}

/** One number for one value, where the extents that it takes are known. */
function flattened(axes: readonly AxisIndex[], shape: OpenShape | undefined): number | undefined {
  let flat = 0
  for (const [axis, each] of axes.entries()) {
    const extent = axis === 0 ? 0 : shape?.[axis]
    if (typeof each !== 'number' || typeof extent !== 'number') return undefined
    flat = flat * extent + each
  }
  return axes.length === 0 ? undefined : flat
}
