/**
 * The wire model: an ONNX graph as flat, typed, plain objects, the form in which it crosses into native code.
 *
 * Nothing here is interpreted. Names are kept as written, node order is the file's, and no shape is inferred;
 * the graph crate validates everything again on its side.
 */

export interface WireModel {
  irVersion: number
  /** Version of the default operator set, ai.onnx. */
  opset: number
  /** Name and version of the exporter, or ''. */
  producer: string
  /** Graph inputs that are not initialisers. */
  inputs: WireValue[]
  outputs: WireValue[]
  nodes: WireNode[]
  initializers: WireTensor[]
  /** Path of the file, or '<bytes>'; for messages. */
  source: string
}

export interface WireNode {
  /** Never empty: a node without a name is called `OpType_index`, by its index in the file. */
  name: string
  opType: string
  /** Always '' (ai.onnx): nodes of other domains are refused when the file is read. */
  domain: string
  /** '' where an optional input is omitted. */
  inputs: string[]
  /** '' where an optional output is omitted. */
  outputs: string[]
  attributes: WireAttribute[]
}

/**
 * Values lie in the field that `kind` names; a scalar is an array of length 1. 'graph' and 'other' carry no
 * value: they let native code refuse the node by name if it is needed.
 */
export interface WireAttribute {
  name: string
  kind: 'float' | 'int' | 'string' | 'floats' | 'ints' | 'strings' | 'tensor' | 'graph' | 'other'
  floats: Float32Array
  ints: BigInt64Array
  strings: string[]
  tensor?: WireTensor
}

export interface WireTensor {
  name: string
  /** ONNX TensorProto.DataType. */
  dtype: number
  dims: number[]
  /**
   * Little-endian elements in row-major order: product(dims) × element size bytes. May be a view of the file's
   * buffer at any alignment, and several tensors may share one buffer: read only.
   */
  data: Uint8Array
  /** Where the values lie instead, which native code reads when it needs them; `data` says nothing then. */
  stored?: StoredValues
}

export interface StoredValues {
  path: string
  offset: number
  /** Device and inode of the file that was checked, `dev:ino`; another one is refused (not on Windows). */
  identity?: string
}

export interface WireValue {
  name: string
  /** ONNX TensorProto.DataType; 0 where the file does not say. */
  dtype: number
  /** Extent per axis, -1 where symbolic or unknown. */
  dims: number[]
  /** Symbol per axis, '' where fixed or unknown. */
  dimNames: string[]
  /** False where even the number of axes is unknown. */
  hasShape: boolean
}
