/** Element types of ONNX tensors: those that native code reads, and the names of the rest for messages. */

import { onnx } from './onnx.generated.js'

const T = onnx.TensorProto.DataType

/** Where a type's values lie when they are not in raw_data, and the array that gives them their raw form. */
export interface ElementType {
  /** Bytes per element. */
  size: number
  field: 'floatData' | 'doubleData' | 'int32Data' | 'int64Data' | 'uint64Data'
  /** Array type whose memory is the raw form; 64-bit integers are stored as two 32-bit halves instead. */
  array?: NumberArrayConstructor
}

type NumberArrayConstructor =
  | Float32ArrayConstructor
  | Float64ArrayConstructor
  | Int32ArrayConstructor
  | Uint32ArrayConstructor
  | Int16ArrayConstructor
  | Uint16ArrayConstructor
  | Int8ArrayConstructor
  | Uint8ArrayConstructor

const ELEMENT_TYPES = new Map<number, ElementType>([
  [T.FLOAT, { size: 4, field: 'floatData', array: Float32Array }],
  [T.DOUBLE, { size: 8, field: 'doubleData', array: Float64Array }],
  // Half types are stored as their bits.
  [T.FLOAT16, { size: 2, field: 'int32Data', array: Uint16Array }],
  [T.BFLOAT16, { size: 2, field: 'int32Data', array: Uint16Array }],
  [T.BOOL, { size: 1, field: 'int32Data', array: Uint8Array }],
  [T.INT8, { size: 1, field: 'int32Data', array: Int8Array }],
  [T.UINT8, { size: 1, field: 'int32Data', array: Uint8Array }],
  [T.INT16, { size: 2, field: 'int32Data', array: Int16Array }],
  [T.UINT16, { size: 2, field: 'int32Data', array: Uint16Array }],
  [T.INT32, { size: 4, field: 'int32Data', array: Int32Array }],
  [T.INT64, { size: 8, field: 'int64Data' }],
  [T.UINT32, { size: 4, field: 'uint64Data', array: Uint32Array }],
  [T.UINT64, { size: 8, field: 'uint64Data' }],
])

/** Undefined for types that native code does not read: strings, complex, 8-bit floats, 2- and 4-bit types. */
export function elementType(dtype: number): ElementType | undefined {
  return ELEMENT_TYPES.get(dtype)
}

/** For messages: `FLOAT16`, or the number where it is not known. */
export function dtypeName(dtype: number): string {
  return T[dtype] ?? String(dtype)
}
