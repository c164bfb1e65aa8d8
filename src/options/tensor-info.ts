/** An input or output of a model. */

import type { NativeTensorInfo } from '../native.js'

export interface TensorInfo {
  readonly name: string
  /** For example `'float32'`. */
  readonly dtype: string
  /** Extent of each axis; a symbol such as `'batch'`, or null, where the file leaves it open. */
  readonly shape: readonly (number | string | null)[]
}

export function toTensorInfo({ name, dtype, dims, dimNames }: NativeTensorInfo): TensorInfo {
  return { name, dtype, shape: dims.map((extent, axis) => extent ?? (dimNames[axis] || null)) }
}
