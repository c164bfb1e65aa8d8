/** Inputs and outputs of a model. */

import { DeepLiftError } from '../errors.js'
import type { NativeTensorInfo } from '../native.js'

/** Extent of each axis; a symbol such as `'batch'`, or null, where the file leaves it open. */
export type OpenShape = readonly (number | string | null)[]

/** Native names of element types; others are the same in both. */
const DTYPES: Readonly<Record<string, string>> = {
  f16: 'float16',
  bf16: 'bfloat16',
  f32: 'float32',
  f64: 'float64',
  i8: 'int8',
  i16: 'int16',
  i32: 'int32',
  i64: 'int64',
  u8: 'uint8',
  u16: 'uint16',
  u32: 'uint32',
  u64: 'uint64',
}

export interface TensorInfo {
  readonly name: string
  /** For example `'float32'`. */
  readonly dtype: string
  /** Null if the file does not even say how many axes there are. */
  readonly shape: OpenShape | null
}

export interface InputInfo extends TensorInfo {
  readonly shape: OpenShape
}

export function toTensorInfo({ name, dtype, dims, dimNames, hasShape }: NativeTensorInfo): TensorInfo {
  return {
    name,
    dtype: DTYPES[dtype] ?? dtype,
    shape: hasShape ? dims.map((extent, axis) => extent ?? (dimNames[axis] || null)) : null,
  }
}

export function toInputInfo(info: NativeTensorInfo): InputInfo {
  const { name, dtype, shape } = toTensorInfo(info)
  if (shape) return { name, dtype, shape }
  throw new DeepLiftError(
    'UNSUPPORTED_MODEL',
    `The file does not say how many axes input ${JSON.stringify(name)} has: export the model with the shapes of its inputs.`,
  )
}
