/** Tensors as they go in and come out: values in row-major order, and the extent of each axis. */

import { DeepLiftError } from './errors.js'
import { show } from './options/check.js'

/**
 * `Uint8Array` data are base codes (A 0, C 1, G 2, T 3, unknown 4), one per position: their shape has no axis of
 * letters, `[n, length]`.
 */
export type TensorData = Float32Array | Float64Array | Uint8Array

export interface Tensor<Data extends TensorData = TensorData> {
  data: Data
  shape: readonly number[]
}

export function isTensor(value: unknown): value is Tensor {
  return typeof value === 'object' && value !== null && 'data' in value && 'shape' in value
}

/** The number of elements of this shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1)
}

/** `[4, 600]` as messages show it; null is an axis of any extent. */
export function showShape(shape: readonly (number | string | null)[]): string {
  return `[${shape.map((extent) => extent ?? '?').join(', ')}]`
}

/** Checks that a value is a tensor whose data fill its shape. */
export function checkTensor(value: unknown, where: string): Tensor {
  const fail = (problem: string): never => {
    throw new DeepLiftError('INVALID_INPUT', `${where}: ${problem}`)
  }
  if (!isTensor(value)) return fail(`expected { data, shape }, found ${show(value)}.`)
  const { data, shape } = value
  if (!(data instanceof Float32Array || data instanceof Float64Array || data instanceof Uint8Array))
    fail(
      `data: expected a Float32Array or Float64Array of values, or a Uint8Array of base codes; found ${show(data)}.`,
    )
  if (!Array.isArray(shape) || !shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0))
    fail(`shape: expected an array of whole numbers, found ${show(shape)}.`)
  if (sizeOf(shape) !== data.length)
    fail(`shape ${showShape(shape)} has ${sizeOf(shape)} elements, but data has ${data.length}.`)
  return value
}
