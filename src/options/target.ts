/**
 * Targets: which value, or weighted sum of values, of an output is explained.
 */

import type { NativeTarget } from '../native.js'
import { isTensor, showShape, type Tensor } from '../tensor.js'
import { checkKeys, invalidOption, show } from './check.js'
import { type HeadTarget, type PendingHead, resolveHead, type SizedOutput } from './head.js'
import { type IndexedTensor, knownSize, resolveIndex, type TargetIndex } from './target-index.js'
import type { TensorInfo } from './tensor-info.js'

export interface TargetObject {
  /** Name of an output of the model, or of a tensor inside it. May be omitted if there is one output. */
  output?: string
  /**
   * Position in the output of one example: a number, or one entry per axis (without the batch axis), where `null` sums
   * over the axis and `[from, to]` over positions from ≤ i < to. May be omitted if the output has one value.
   */
  index?: TargetIndex
  /** Explains the difference of two values, that at `index` minus this one: what tells two classes apart. */
  minus?: TargetIndex
  /**
   * Explains the value at `index` minus the mean of the output: what a softmax after it responds to. Default false.
   */
  centred?: boolean
  /** Instead of an index: a weight for each value of the output; their weighted sum is explained. */
  seed?: Tensor | readonly number[] | Float32Array | Float64Array
}

/** A number is an index into the only output. */
export type SingleTarget = number | TargetObject | HeadTarget

/**
 * An array explains several targets, of one output or of several, with one forward pass, and adds an axis of targets to
 * the results.
 */
export type Target = SingleTarget | readonly SingleTarget[]

export interface ResolvedTargets {
  /** A head whose output is chosen by shapes that the file leaves open is found by {@link settleTargets}. */
  targets: (NativeTarget | PendingHead)[]
  /** Whether the results have an axis of targets. */
  several: boolean
}

export function resolveTargets(
  target: Target | undefined,
  outputs: readonly TensorInfo[],
  where = 'target',
): ResolvedTargets {
  if (!Array.isArray(target))
    return { targets: [resolve(target as SingleTarget | undefined, outputs, where)], several: false }
  if (target.length === 0) throw invalidOption(`${where}: expected at least one target, found [].`)
  const targets = target.map((each, position) => resolve(each, outputs, `${where}[${position}]`))
  return { targets, several: true }
}

/** All targets, with heads found among outputs of these shapes. */
export async function settleTargets(
  targets: readonly (NativeTarget | PendingHead)[],
  shapes: () => Promise<SizedOutput[]>,
): Promise<NativeTarget[]> {
  if (!targets.some((target) => typeof target === 'function')) return targets as NativeTarget[]
  const outputs = await shapes()
  return targets.map((target) => (typeof target === 'function' ? target(outputs) : target))
}

function resolve(
  target: SingleTarget | undefined,
  outputs: readonly TensorInfo[],
  where: string,
): NativeTarget | PendingHead {
  if (target === undefined) return resolve({}, outputs, where)
  if (typeof target === 'number') return resolve({ index: target }, outputs, where)
  if (typeof target === 'object' && target !== null && 'head' in target)
    return resolveHead(target, outputs, where)
  checkKeys(target, ['output', 'index', 'minus', 'centred', 'seed', 'head', 'weights'], where)
  if ('weights' in target)
    throw invalidOption(
      `${where}: weights go with head: 'profile'; weights of single values are given as seed.`,
    )
  const { index, minus, centred = false, seed } = target
  const name = outputName(target.output, outputs, where)
  // A tensor inside the model is not listed here: native code knows its shape.
  const info = outputs.find((output) => output.name === name)
  const tensor: IndexedTensor = { name, shape: info?.shape?.slice(1) }
  if (index !== undefined && seed !== undefined)
    throw invalidOption(`${where}: give index or seed, not both.`)
  if (typeof centred !== 'boolean')
    throw invalidOption(`${where}: centred: expected true or false, found ${show(centred)}.`)
  if (index === undefined && (minus !== undefined || centred))
    throw invalidOption(`${where}: minus and centred go with index.`)
  if (minus !== undefined && centred)
    throw invalidOption(`${where}: give minus or centred, not both: in a difference the mean cancels.`)
  if (seed !== undefined) return { tensor: name, seed: resolveSeed(seed, tensor, where) }
  if (index !== undefined)
    return {
      tensor: name,
      index: resolveIndex(index, tensor, where),
      ...(minus !== undefined && { minus: resolveIndex(minus, tensor, `${where}: minus`) }),
      ...(centred && { centred }),
    }
  const size = knownSize(tensor.shape)
  if (size === 1) return { tensor: name, index: 0 }
  // Native code takes a tensor of one value without an index, and says how many values another one has.
  if (size === undefined) return { tensor: name }
  throw invalidOption(
    `${where}: output ${JSON.stringify(name)} has ${size} values per example; say which one to explain, for example ` +
      `{ output: ${JSON.stringify(name)}, index: 0 }. ${listOutputs(outputs)}`,
    { option: 'target' },
  )
}

function outputName(name: string | undefined, outputs: readonly TensorInfo[], where: string): string {
  if (typeof name === 'string' && name !== '') return name
  if (name !== undefined) throw invalidOption(`${where}: output: expected a name, found ${show(name)}.`)
  if (outputs.length === 1) return outputs[0]!.name
  throw invalidOption(`${where}: the model has several outputs; name one. ${listOutputs(outputs)}`, {
    option: 'target',
  })
}

function listOutputs(outputs: readonly TensorInfo[]): string {
  const list = outputs.map(
    ({ name, shape }) => `${JSON.stringify(name)} ${shape ? showShape(shape) : '(unknown shape)'}`,
  )
  return `Outputs: ${list.join(', ')}.`
}

function resolveSeed(
  seed: NonNullable<TargetObject['seed']>,
  { name, shape }: IndexedTensor,
  where: string,
): number[] {
  const weights = Array.from((isTensor(seed) ? seed.data : seed) as ArrayLike<number>)
  const size = knownSize(shape)
  if (weights.length === 0 || (size !== undefined && weights.length !== size))
    throw invalidOption(
      `${where}: seed: expected ${size ?? 'a'} weight${size === 1 ? '' : 's'}, one per value of output ` +
        `${JSON.stringify(name)}; found ${weights.length}.`,
    )
  const wrong = weights.findIndex((weight) => typeof weight !== 'number' || !Number.isFinite(weight))
  if (wrong >= 0)
    throw invalidOption(`${where}: seed[${wrong}]: expected a number, found ${show(weights[wrong])}.`)
  return weights
}
