/** Numbers of .npy files as tensor data. */

import { DeepLiftError } from '../errors.js'
import type { NpyData } from '../io/npy-read.js'
import type { TensorData } from '../tensor.js'

/**
 * @param codes Whether integers are base codes; otherwise they are values, such as one-hot bytes.
 */
export function tensorData(data: NpyData, codes: boolean, file: string): TensorData {
  if (Array.isArray(data)) throw new DeepLiftError('INVALID_INPUT', `${file} holds text; numbers are needed.`)
  if (data instanceof Float32Array || data instanceof Float64Array) return data
  if (!codes) return data instanceof BigInt64Array ? Float32Array.from(data, Number) : Float32Array.from(data)
  const values = data instanceof BigInt64Array ? Array.from(data, Number) : data
  // A value that does not fit a byte must not wrap around to a code that looks right.
  return Uint8Array.from(values as ArrayLike<number>, (value) => (value >= 0 && value <= 255 ? value : 255))
}
