/**
 * Targets: which value, or weighted sum of values, of an output is explained.
 */

import type { NativeTarget } from '../native.js'
import { isTensor, showShape, sizeOf, type Tensor } from '../tensor.js'
import { checkKeys, invalidOption, show } from './check.js'
import type { TensorInfo } from './tensor-info.js'

export interface TargetObject {
  /** Name of an output of the model, or of a tensor inside it. May be omitted if there is one output. */
  output?: string
  /**
   * Position in the output of one example: a number, or one per axis (without the batch axis). May be omitted if
   * the output has one value.
   */
  index?: number | readonly number[]
  /** Explains the difference of two values, that at `index` minus this one: what tells two classes apart. */
  minus?: number | readonly number[]
  /**
   * Explains the value at `index` minus the mean of the output: what a softmax after it responds to. Default false.
   */
  centred?: boolean
  /** Instead of an index: a weight for each value of the output; their weighted sum is explained. */
  seed?: Tensor | readonly number[] | Float32Array | Float64Array
}

/** An array explains several targets in one pass and adds an axis of targets to the results. */
export type Target = number | TargetObject | readonly (number | TargetObject)[]

export interface ResolvedTargets {
  targets: NativeTarget[]
  /** Whether the results have an axis of targets. */
  several: boolean
}

export function resolveTargets(target: Target | undefined, outputs: readonly TensorInfo[]): ResolvedTargets {
  if (!Array.isArray(target))
    return { targets: [resolve(target as number, outputs, 'target')], several: false }
  if (target.length === 0) throw invalidOption('target: expected at least one target, found [].')
  const targets = target.map((each, position) => resolve(each, outputs, `target[${position}]`))
  const other = targets.find(({ tensor }) => tensor !== targets[0]!.tensor)
  if (other)
    throw invalidOption(
      `target: targets of one call belong to one output; found ${JSON.stringify(targets[0]!.tensor)} and ` +
        `${JSON.stringify(other.tensor)}. Score them in two calls.`,
    )
  return { targets, several: true }
}

function resolve(
  target: number | TargetObject | undefined,
  outputs: readonly TensorInfo[],
  where: string,
): NativeTarget {
  if (target === undefined) return resolve({}, outputs, where)
  if (typeof target === 'number') return resolve({ index: target }, outputs, where)
  checkKeys(target, ['output', 'index', 'minus', 'centred', 'seed'], where)
  const { index, minus, centred = false, seed } = target
  const tensor = outputName(target.output, outputs, where)
  // A tensor inside the model is not listed here: native code knows its shape.
  const info = outputs.find(({ name }) => name === tensor)
  const shape = info?.shape?.slice(1)
  if (index !== undefined && seed !== undefined)
    throw invalidOption(`${where}: give index or seed, not both.`)
  if (index === undefined && (minus !== undefined || centred))
    throw invalidOption(`${where}: minus and centred go with index.`)
  if (seed !== undefined) return { tensor, seed: resolveSeed(seed, tensor, shape, where) }
  if (index !== undefined) {
    const value = resolveIndex(index, tensor, shape, where)
    if (minus === undefined && !centred) return { tensor, index: value }
    const other = minus === undefined ? undefined : resolveIndex(minus, tensor, shape, where)
    return { tensor, seed: contrast(value, other, centred, tensor, shape, where) }
  }
  const size = shape && knownSize(shape)
  if (size === 1) return { tensor, index: 0 }
  const many = size === undefined ? 'values of a shape the file does not fix' : `${size} values`
  throw invalidOption(
    `${where}: output ${JSON.stringify(tensor)} has ${many} per example; say which one to explain, for example ` +
      `{ output: ${JSON.stringify(tensor)}, index: 0 }. ${listOutputs(outputs)}`,
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

function knownSize(shape: readonly (number | string | null)[]): number | undefined {
  return shape.every((extent) => typeof extent === 'number') ? sizeOf(shape as number[]) : undefined
}

function resolveIndex(
  index: number | readonly number[],
  tensor: string,
  shape: readonly (number | string | null)[] | undefined,
  where: string,
): number {
  const isIndex = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
  const output = JSON.stringify(tensor)
  if (typeof index === 'number') {
    if (!isIndex(index))
      throw invalidOption(`${where}: index: expected a whole number from 0, found ${show(index)}.`)
    const size = shape && knownSize(shape)
    if (size !== undefined && index >= size)
      throw invalidOption(
        `${where}: index ${index} is beyond output ${output}, which has ${size} ${size === 1 ? 'value' : 'values'} ` +
          `per example (indices count from 0).`,
      )
    return index
  }
  if (!Array.isArray(index) || !index.every(isIndex))
    throw invalidOption(`${where}: index: expected whole numbers from 0, found ${show(index)}.`)
  if (shape && index.length !== shape.length)
    throw invalidOption(
      `${where}: index ${show(index)} has ${index.length} numbers; one example of output ${output} has the ` +
        `${shape.length} axes ${showShape(shape)}.`,
    )
  return index.reduce((flat, position, axis) => {
    const extent = shape?.[axis]
    if (typeof extent === 'number' ? position >= extent : axis > 0)
      throw invalidOption(
        typeof extent === 'number'
          ? `${where}: index ${show(index)} is beyond output ${output}, of shape ${showShape(shape!)} per example.`
          : `${where}: the file does not fix the shape of ${output}; give index as one number, its position in ` +
              'the flattened output of one example.',
      )
    return axis === 0 ? position : flat * (extent as number) + position
  }, 0)
}

/** Weights of one value against another, or against the mean of all. */
function contrast(
  value: number,
  other: number | undefined,
  centred: boolean,
  tensor: string,
  shape: readonly (number | string | null)[] | undefined,
  where: string,
): number[] {
  if (other !== undefined && centred)
    throw invalidOption(`${where}: give minus or centred, not both: in a difference the mean cancels.`)
  const size = shape && knownSize(shape)
  if (size === undefined)
    throw invalidOption(
      `${where}: the file does not fix the shape of ${JSON.stringify(tensor)}, which minus and centred need; give the ` +
        'weights as seed.',
    )
  const weights = new Array<number>(size).fill(centred ? -1 / size : 0)
  weights[value]! += 1
  if (other !== undefined) weights[other]! -= 1
  return weights
}

function resolveSeed(
  seed: NonNullable<TargetObject['seed']>,
  tensor: string,
  shape: readonly (number | string | null)[] | undefined,
  where: string,
): number[] {
  const weights = Array.from(isTensor(seed) ? seed.data : (seed as ArrayLike<number>))
  const size = shape && knownSize(shape)
  if (weights.length === 0 || (size !== undefined && weights.length !== size))
    throw invalidOption(
      `${where}: seed: expected ${size ?? 'a'} weight${size === 1 ? '' : 's'}, one per value of output ` +
        `${JSON.stringify(tensor)}; found ${weights.length}.`,
    )
  const wrong = weights.findIndex((weight) => typeof weight !== 'number' || !Number.isFinite(weight))
  if (wrong >= 0)
    throw invalidOption(`${where}: seed[${wrong}]: expected a number, found ${show(weights[wrong])}.`)
  return weights
}
