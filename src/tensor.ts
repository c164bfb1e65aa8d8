/** Tensors as they go in and come out: values in row-major order, and the extent of each axis. */

import { DeepLiftError } from './errors.js'
import { show } from './options/check.js'

/**
 * `Uint8Array` data are base codes (A 0, C 1, G 2, T 3, unknown 4), one per position: their shape has no axis of
 * letters, `[n, length]`.
 */
export type TensorData = Float32Array | Float64Array | Uint8Array

/** Whole numbers as values: token ids, masks, counts. */
export type IntegerData =
  | (Int8Array | Int16Array | Uint16Array | Int32Array | Uint32Array)
  | (BigInt64Array | BigUint64Array)

/** Data of an input. For inputs of integer or bool type a `Uint8Array` with all axes of the input holds values. */
export type InputData = TensorData | IntegerData

export interface Tensor<Data extends InputData = TensorData> {
  data: Data
  shape: readonly number[]
}

export function isTensor(value: unknown): value is Tensor<InputData> {
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

/**
 * Checks that a value is a tensor whose data fill its shape; whole numbers become floats.
 *
 * @param byteRank The rank at which a Uint8Array holds values instead of base codes, if there is one.
 */
export function checkTensor(value: unknown, where: string, byteRank?: number): Tensor {
  const fail = (problem: string): never => {
    throw new DeepLiftError('INVALID_INPUT', `${where}: ${problem}`)
  }
  if (!isTensor(value)) return fail(`expected { data, shape }, found ${show(value)}.`)
  const { data, shape } = value
  if (!ArrayBuffer.isView(data) || !isNumeric(data))
    return fail(
      'data: expected a Float32Array or Float64Array of values, an array of whole numbers such as Int32Array or ' +
        `BigInt64Array, or a Uint8Array of base codes; found ${show(data)}.`,
    )
  if (!Array.isArray(shape) || !shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0))
    fail(`shape: expected an array of whole numbers, found ${show(shape)}.`)
  if (sizeOf(shape) !== data.length)
    fail(`shape ${showShape(shape)} has ${sizeOf(shape)} elements, but data has ${data.length}.`)
  if (data instanceof Uint8Array && shape.length === byteRank) return { data: Float32Array.from(data), shape }
  if (data instanceof Float32Array || data instanceof Float64Array || data instanceof Uint8Array)
    return value as Tensor
  return { data: toFloats(data), shape }
}

function isNumeric(data: ArrayBufferView): data is InputData {
  return !(data instanceof DataView || data instanceof Uint8ClampedArray)
}

/** In double precision, which holds all whole numbers that JavaScript's numbers do. */
function toFloats(data: IntegerData): Float64Array {
  return data instanceof BigInt64Array || data instanceof BigUint64Array
    ? Float64Array.from(data, Number)
    : Float64Array.from(data)
}
