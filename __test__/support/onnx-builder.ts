/**
 * Builds small ONNX files by hand, as bytes.
 *
 * ```ts
 * const bytes = buildModel({
 *   inputs: { x: ['batch', 4, 8] },
 *   outputs: { y: ['batch', 2, 6] },
 *   nodes: [
 *     node('Conv', ['x', 'w'], ['h'], { kernel_shape: [3], auto_pad: 'VALID' }),
 *     node('LeakyRelu', ['h'], ['y'], { alpha: 0.1 }),
 *   ],
 *   initializers: [tensor('w', [2, 4, 3], new Float32Array(24))],
 * })
 * ```
 *
 * Nothing is checked, so that wrong files can be built too: `model` and `graph` merge raw fields (camelCase, as
 * in src/onnx/onnx.proto) into the messages.
 */

import { fileURLToPath } from 'node:url'
import protobuf from 'protobufjs'

const schema = protobuf.loadSync(fileURLToPath(new URL('../../src/onnx/onnx.proto', import.meta.url)))
const ModelProto = schema.lookupType('onnx.ModelProto')

/** TensorProto.DataType by name, for example `DType.FLOAT16`. */
export const DType = schema.lookupEnum('onnx.TensorProto.DataType').values as Record<DTypeName, number>
type DTypeName =
  | ('UNDEFINED' | 'FLOAT' | 'UINT8' | 'INT8' | 'UINT16' | 'INT16' | 'INT32' | 'INT64' | 'STRING' | 'BOOL')
  | ('FLOAT16' | 'DOUBLE' | 'UINT32' | 'UINT64' | 'COMPLEX64' | 'COMPLEX128' | 'BFLOAT16' | 'FLOAT8E4M3FN')
  | 'INT4'

/** A message as protobufjs takes it. */
type Message = Record<string, unknown>
/** A number is a fixed extent, a string a symbol, null an unknown extent. */
export type Shape = readonly (number | string | null)[]

export interface ModelSpec {
  nodes: readonly Message[]
  /** Name to shape of float32 tensors, or values made by {@link value}. */
  inputs: Record<string, Shape> | readonly Message[]
  outputs: Record<string, Shape> | readonly Message[]
  initializers?: readonly Message[]
  /** Of ai.onnx; default 20. */
  opset?: number
  /** IR version; default 9. */
  ir?: number
  /** Raw fields merged into ModelProto. */
  model?: Message
  /** Raw fields merged into GraphProto. */
  graph?: Message
}

export function buildModel({
  nodes,
  inputs,
  outputs,
  initializers = [],
  opset = 20,
  ir = 9,
  model,
  graph,
}: ModelSpec): Uint8Array {
  const message = ModelProto.fromObject({
    irVersion: ir,
    producerName: 'onnx-builder',
    opsetImport: [{ domain: '', version: opset }],
    graph: {
      name: 'graph',
      node: nodes,
      initializer: initializers,
      input: values(inputs),
      output: values(outputs),
      ...graph,
    },
    ...model,
  })
  return ModelProto.encode(message).finish()
}

function values(spec: ModelSpec['inputs']): readonly Message[] {
  return Array.isArray(spec) ? spec : Object.entries(spec).map(([name, shape]) => value(name, shape))
}

/** A graph input or output; without a shape its rank is unknown. */
export function value(name: string, shape?: Shape, dtype = DType.FLOAT): Message {
  const dim = shape?.map((extent) => {
    if (extent === null) return {}
    return typeof extent === 'number' ? { dimValue: extent } : { dimParam: extent }
  })
  return { name, type: { tensorType: { elemType: dtype, ...(dim && { shape: { dim } }) } } }
}

/** Attributes that are floats however round their value is. */
const FLOAT_ATTRIBUTES = new Set([
  'alpha',
  'beta',
  'gamma',
  'epsilon',
  'momentum',
  'lambd',
  'bias',
  'value_float',
])

/** Forces a number to be a float attribute, an array to be a floats attribute. */
export function float(value: number | readonly number[]): Message {
  return typeof value === 'number' ? { type: 1, f: value } : { type: 6, floats: value }
}

/**
 * Attribute values: whole numbers are ints (except under the names every operator uses for floats: alpha, beta,
 * epsilon …), other numbers floats; see {@link float}. A {@link tensor} is a tensor. Any other object is taken
 * as a raw AttributeProto.
 */
export type AttributeValue =
  | (number | bigint | string)
  | (readonly (number | bigint)[] | readonly string[])
  | (BigInt64Array | Float32Array)
  | Message

export function node(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Record<string, AttributeValue> = {},
  /** Raw fields of NodeProto, such as name or domain. */
  raw: Message = {},
): Message {
  return {
    opType,
    input: inputs,
    output: outputs,
    attribute: Object.entries(attributes).map(([name, value]) => ({ name, ...attribute(name, value) })),
    ...raw,
  }
}

function attribute(name: string, value: AttributeValue): Message {
  if (typeof value === 'string') return { type: 3, s: utf8(value) }
  if (typeof value === 'bigint') return { type: 2, i: long(value) }
  if (typeof value === 'number') {
    return Number.isInteger(value) && !FLOAT_ATTRIBUTES.has(name)
      ? { type: 2, i: value }
      : { type: 1, f: value }
  }
  if (value instanceof Float32Array) return { type: 6, floats: Array.from(value) }
  if (value instanceof BigInt64Array) return { type: 7, ints: Array.from(value, long) }
  if (Array.isArray(value)) {
    if (value.some((item) => typeof item === 'string')) return { type: 8, strings: value.map(utf8) }
    const whole = value.every((item) => typeof item === 'bigint' || Number.isInteger(item))
    return whole ? { type: 7, ints: value.map(long) } : { type: 6, floats: value }
  }
  const message = value as Message
  return 'dataType' in message ? { type: 4, t: message } : message
}

export type TensorData =
  | (Float32Array | Float64Array)
  | (Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array)
  | (BigInt64Array | BigUint64Array)

const DTYPE_OF_ARRAY: Record<string, number> = {
  Float32Array: DType.FLOAT,
  Float64Array: DType.DOUBLE,
  Int8Array: DType.INT8,
  Uint8Array: DType.UINT8,
  Int16Array: DType.INT16,
  Uint16Array: DType.UINT16,
  Int32Array: DType.INT32,
  Uint32Array: DType.UINT32,
  BigInt64Array: DType.INT64,
  BigUint64Array: DType.UINT64,
}

/** Field for values that are not stored as raw_data. */
function typedField(dtype: number): string {
  if (dtype === DType.FLOAT) return 'floatData'
  if (dtype === DType.DOUBLE) return 'doubleData'
  if (dtype === DType.INT64) return 'int64Data'
  return dtype === DType.UINT32 || dtype === DType.UINT64 ? 'uint64Data' : 'int32Data'
}

/**
 * A tensor, as initialiser or attribute. An array of plain numbers is float32.
 *
 * @param options.dtype when the array does not tell: Uint16Array as FLOAT16 or BFLOAT16, Uint8Array as BOOL
 * @param options.store 'raw' (default) for raw_data, 'typed' for float_data, int64_data …
 */
export function tensor(
  name: string,
  dims: readonly number[],
  data: TensorData | readonly number[],
  options: { dtype?: number; store?: 'raw' | 'typed' } = {},
): Message {
  const array = ArrayBuffer.isView(data) ? data : Float32Array.from(data)
  const dtype = options.dtype ?? DTYPE_OF_ARRAY[array.constructor.name]!
  const stored =
    options.store === 'typed'
      ? { [typedField(dtype)]: Array.from(array as ArrayLike<number | bigint>, number) }
      : { rawData: new Uint8Array(array.buffer, array.byteOffset, array.byteLength) }
  return { name, dims, dataType: dtype, ...stored }
}

/** A tensor whose values lie in a side file; `entries` are location, offset and length. */
export function externalTensor(
  name: string,
  dims: readonly number[],
  entries: Record<string, string | number>,
  dtype = DType.FLOAT,
): Message {
  const externalData = Object.entries(entries).map(([key, value]) => ({ key, value: String(value) }))
  return { name, dims, dataType: dtype, dataLocation: 1, externalData }
}

function utf8(text: unknown): Uint8Array {
  return new TextEncoder().encode(String(text))
}

/** protobufjs takes 64-bit integers as Long objects. */
function long(value: number | bigint): unknown {
  const Long = protobuf.util.Long as unknown as { fromString(text: string): unknown }
  return Long.fromString(String(value))
}

function number(value: number | bigint): unknown {
  return typeof value === 'bigint' ? long(value) : value
}
