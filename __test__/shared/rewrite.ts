/** ONNX files taken apart, changed and put together again. */

import { fileURLToPath } from 'node:url'
import protobuf from 'protobufjs'
import { float16ToFloat32 } from '../../src/io/float16.js'
import { DType } from '../support/onnx-builder.js'

const schema = protobuf.loadSync(fileURLToPath(new URL('../../src/onnx/onnx.proto', import.meta.url)))
const ModelProto = schema.lookupType('onnx.ModelProto')

export interface Dim {
  dimValue?: unknown
  dimParam?: string
}

export interface ValueInfo {
  name: string
  type: { tensorType: { elemType: number; shape?: { dim: Dim[] } } }
}

export interface Initializer {
  name: string
  dims: unknown[]
  dataType: number
  rawData: Uint8Array
}

export interface Graph {
  node: Record<string, unknown>[]
  initializer: Initializer[]
  input: ValueInfo[]
  output: ValueInfo[]
  valueInfo: ValueInfo[]
}

/** The file with its graph changed by `change`. */
export function rewriteModel(bytes: Uint8Array, change: (graph: Graph) => void): Uint8Array {
  const model = ModelProto.decode(bytes) as unknown as { graph: Graph }
  change(model.graph)
  return ModelProto.encode(ModelProto.fromObject(model)).finish()
}

/** Leaves the batch open, which is the first axis of every input and output. */
export function openBatch(graph: Graph): void {
  for (const { type } of [...graph.input, ...graph.output])
    type.tensorType.shape!.dim[0] = { dimParam: 'batch' }
  graph.valueInfo = []
}

/** Writes the same numbers as float32. */
export function widenWeights(graph: Graph): void {
  for (const tensor of graph.initializer) {
    const { dataType, rawData } = tensor
    if (dataType !== DType.FLOAT16 && dataType !== DType.BFLOAT16) continue
    const halves = new Uint16Array(Uint8Array.from(rawData).buffer)
    const wide = dataType === DType.FLOAT16 ? float16ToFloat32(halves) : bfloat16ToFloat32(halves)
    tensor.dataType = DType.FLOAT
    tensor.rawData = new Uint8Array(wide.buffer)
  }
  for (const { type } of [...graph.input, ...graph.output]) type.tensorType.elemType = DType.FLOAT
}

/** bfloat16 is the upper half of float32. */
function bfloat16ToFloat32(halves: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(halves, (half) => half * 0x1_0000).buffer)
}
