/** Single-operator models, and the forms in which a package that scores data inputs can run them. */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DeepLift, DeepLiftError } from '../../src/index.js'
import { sizeOf, type Tensor } from '../../src/tensor.js'
import { DType, node, tensor, value } from '../support/onnx-builder.js'
import { SHARED } from '../support/shared.js'
import { readJson } from './cases.js'
import { type Graph, type Initializer, openBatch, rewriteModel, type ValueInfo } from './rewrite.js'

export interface StoredTensor {
  name: string
  dtype: string
  shape: number[]
  offset: number
  length: number
}

export interface NodeCase {
  name: string
  operator: string
  nodeTypes: string[]
  rtol: number
  atol: number
  model: { offset: number; length: number }
  inputs: StoredTensor[]
  outputs: StoredTensor[]
}

const FOLDER = join(SHARED, 'conformance', 'node-ops')

/** Empty where the data are absent. */
export function readNodeCases(): NodeCase[] {
  const index = join(FOLDER, 'index.json')
  if (!existsSync(index)) {
    console.warn(`${FOLDER} is absent: operators are not tested over it (set DEEPLIFT_SHARED)`)
    return []
  }
  return (readJson(index) as { cases: NodeCase[] }).cases
}

let bundle: Buffer | undefined

function bytesOf({ offset, length }: { offset: number; length: number }): Uint8Array {
  bundle ??= readFileSync(join(FOLDER, 'cases.bin'))
  return Uint8Array.from(bundle.subarray(offset, offset + length))
}

/** Values as numbers, exact for what float64 holds. */
export function valuesOf(stored: StoredTensor): Float64Array {
  const { buffer } = bytesOf(stored)
  const number = (all: ArrayLike<number>) => Float64Array.from(all)
  const readers: Record<string, () => Float64Array> = {
    float32: () => number(new Float32Array(buffer)),
    float64: () => number(new Float64Array(buffer)),
    int32: () => number(new Int32Array(buffer)),
    int64: () => Float64Array.from(new BigInt64Array(buffer), Number),
    uint8: () => number(new Uint8Array(buffer)),
    bool: () => number(new Uint8Array(buffer)),
  }
  const read = readers[stored.dtype]
  if (!read) throw new Error(`${stored.name}: no reader of ${stored.dtype}`)
  return read()
}

/**
 * - `data`: float inputs with as many rows as the first are data, whose first axis is the batch; others are weights
 * - `weights`: the first float input is data, all others are weights
 * - `folded`: every input is a constant, so that the node is evaluated when the graph is read
 */
export const FORMS = ['data', 'weights', 'folded'] as const
export type Form = (typeof FORMS)[number]

function dataInputs({ inputs }: NodeCase, form: Form): StoredTensor[] {
  const floats = inputs.filter(({ dtype, shape }) => dtype === 'float32' && shape.length > 0)
  const first = floats.slice(0, 1)
  if (form === 'folded') return []
  return form === 'weights' ? first : floats.filter(({ shape }) => shape[0] === first[0]!.shape[0])
}

/** Whether a form is one of its own: not a repetition of the form before, and with something to score. */
export function isForm(each: NodeCase, form: Form): boolean {
  if (form === 'folded') return true
  const count = dataInputs(each, form).length
  return count > 0 && (form === 'data' || count < dataInputs(each, 'data').length)
}

/** f(x) of the first output, flattened, computed in this form. */
export async function runForm(each: NodeCase, form: Form, output: StoredTensor): Promise<Float64Array> {
  const data = dataInputs(each, form)
  const bytes = rewriteModel(bytesOf(each.model), (graph) => {
    const isData = ({ name }: { name: string }) => data.some((input) => input.name === name)
    graph.initializer.push(...each.inputs.filter((input) => !isData(input)).map(constant))
    graph.input = graph.input.filter(isData)
    if (form === 'folded') readFolded(graph, output.name)
    else {
      graph.output = graph.output.filter(({ name }) => name === output.name)
      openBatch(graph)
    }
  })
  const inputs: Record<string, Tensor> =
    form === 'folded'
      ? { zero: { data: new Float32Array(1), shape: [1, 1] } }
      : Object.fromEntries(data.map((input) => [input.name, floatTensor(input)]))
  const examples = form === 'folded' ? 1 : data[0]!.shape[0]!
  const size = sizeOf(output.shape) / examples
  if (!Number.isInteger(size)) throw new OtherBatch(`${output.shape} is no batch of ${examples}`)
  const name = form === 'folded' ? 'read' : output.name
  // Each example is its own reference, at which f is finite where it is finite at the example.
  const references = Object.fromEntries(
    Object.entries(inputs).map(([input, tensor]) => [input, { perExample: tensor }]),
  )
  const target = Array.from({ length: size }, (_, index) => ({ output: name, index }))
  const model = await DeepLift.load(bytes)
  const scores = await model.score(inputs, { references, target, outputs: [], peel: false })
  return scores.output.data
}

function floatTensor(input: StoredTensor): Tensor {
  return { data: Float32Array.from(valuesOf(input)), shape: input.shape }
}

/** The output has other rows than the input, so that its first axis cannot be the batch. */
class OtherBatch extends Error {}

export function isRefusal(error: unknown): boolean {
  return error instanceof OtherBatch || error instanceof DeepLiftError
}

const DTYPES: Record<string, number> = {
  float32: DType.FLOAT,
  float64: DType.DOUBLE,
  int32: DType.INT32,
  int64: DType.INT64,
  uint8: DType.UINT8,
  bool: DType.BOOL,
}

function constant(input: StoredTensor): Initializer {
  const dataType = DTYPES[input.dtype]
  if (dataType === undefined) throw new Error(`${input.name}: no constant of ${input.dtype}`)
  return { name: input.name, dims: input.shape, dataType, rawData: bytesOf(input) }
}

/** Adds an input of zeros to the constant that the graph computes, which makes it an output of a batch of one. */
function readFolded(graph: Graph, name: string): void {
  graph.node.push(
    node('Cast', [name], ['as_float'], { to: DType.FLOAT }),
    node('Reshape', ['as_float', 'row'], ['as_row']),
    node('Add', ['zero', 'as_row'], ['read']),
  )
  graph.initializer.push(tensor('row', [2], BigInt64Array.of(1n, -1n)) as unknown as Initializer)
  graph.input = [value('zero', ['batch', 1]) as unknown as ValueInfo]
  graph.output = [value('read', ['batch', null]) as unknown as ValueInfo]
  graph.valueInfo = []
}
