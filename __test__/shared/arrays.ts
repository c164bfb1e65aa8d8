/** Stored arrays as tensors. */

import { readNpy } from '../../src/io/npy-read.js'
import { sizeOf, type Tensor } from '../../src/tensor.js'

export type FloatTensor = Tensor<Float32Array | Float64Array>

const cache = new Map<string, Promise<FloatTensor>>()

/** Values of a .npy file; 0 and 1 stored as bytes become float32. Read once, so they must not be changed. */
export function readTensor(path: string): Promise<FloatTensor> {
  let tensor = cache.get(path)
  if (!tensor) {
    tensor = readNpy(path).then(({ data, shape }) => ({ data: toFloats(data, path), shape }))
    cache.set(path, tensor)
  }
  return tensor
}

export function toFloats(data: unknown, where: string): Float32Array | Float64Array {
  if (data instanceof Float32Array || data instanceof Float64Array) return data
  if (data instanceof Uint8Array) return Float32Array.from(data)
  throw new Error(`${where} holds no numbers that a network takes`)
}

/** The given rows (indices of the first axis); all of them without `rows`. */
export function takeRows({ data, shape }: FloatTensor, rows?: readonly number[]): FloatTensor {
  if (!rows) return { data, shape }
  const rowSize = sizeOf(shape.slice(1))
  const taken = data.slice(0, rows.length * rowSize)
  for (const [to, from] of rows.entries())
    taken.set(data.subarray(from * rowSize, (from + 1) * rowSize), to * rowSize)
  return { data: taken, shape: [rows.length, ...shape.slice(1)] }
}

/** Sums one axis away. */
export function sumAxis({ data, shape }: FloatTensor, axis: number): FloatTensor {
  const inner = sizeOf(shape.slice(axis + 1))
  const extent = shape[axis]!
  const sums = new Float64Array(data.length / extent)
  for (let index = 0; index < data.length; index++) {
    const outer = Math.floor(index / (extent * inner))
    sums[outer * inner + (index % inner)]! += data[index]!
  }
  return { data: sums, shape: shape.filter((_, each) => each !== axis) }
}

export function largest(values: ArrayLike<number>): number {
  let most = 0
  for (let index = 0; index < values.length; index++) most = Math.max(most, Math.abs(values[index]!))
  return most
}

/** The largest |actual − expected|; infinite where a value is not finite. */
export function largestDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length)
    throw new Error(`compared ${actual.length} values with ${expected.length}`)
  let most = 0
  for (let index = 0; index < actual.length; index++) {
    const difference = Math.abs(actual[index]! - expected[index]!)
    most = Math.max(most, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference)
  }
  return most
}

export function sum(values: ArrayLike<number>): number {
  let total = 0
  for (let index = 0; index < values.length; index++) total += values[index]!
  return total
}
