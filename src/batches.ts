/** Native batches from tensors: checked, and converted only where native code needs another form. */

import { DeepLiftError } from './errors.js'
import { allocate, checkReference, type JobInput, notCode, writeReference } from './job.js'
import type { FloatArray, NativeBatch, Precision } from './native.js'
import { codesFromOneHot, firstNotCode, firstNotFinite } from './one-hot.js'
import { LETTERS } from './options/layout.js'
import type { TensorData } from './tensor.js'

/** Names an example of a batch in messages, by its position in the batch. */
export type ExampleName = (example: number) => string

/** The values of `examples` examples of one input, as native code takes them. */
export function inputValues(
  values: TensorData,
  { layout, encoding }: JobInput,
  examples: number,
  precision: Precision,
  nameOf: ExampleName,
): Uint8Array | FloatArray {
  const where = (example: number) => `input ${JSON.stringify(layout.name)}, ${nameOf(example)}`
  if (values instanceof Uint8Array) {
    const wrong = firstNotCode(values)
    if (wrong < 0) return values
    const length = values.length / examples
    const example = Math.floor(wrong / length)
    throw notCode(values[wrong]!, wrong - example * length, where(example))
  }
  const wrong = firstNotFinite(values)
  if (wrong >= 0) {
    const example = Math.floor(wrong / layout.size)
    const index = wrong - example * layout.size
    throw new DeepLiftError(
      'INVALID_INPUT',
      `${where(example)}: element ${index} is ${values[wrong]}; numbers are needed.`,
      { details: { input: layout.name, index } },
    )
  }
  if (encoding === 'float') return convert(values, precision)
  const length = layout.size / LETTERS
  const codes = new Uint8Array(examples * length)
  for (let example = 0; example < examples; example++)
    codesFromOneHot(
      values.subarray(example * layout.size, (example + 1) * layout.size),
      layout,
      codes.subarray(example * length, (example + 1) * length),
      where(example),
    )
  return codes
}

/** References of kind `perExample` for `examples` examples, from values of all of them in a row; those values, if they are as native code takes them. */
export function referenceValues(
  values: TensorData,
  { layout, reference }: JobInput,
  examples: number,
  precision: Precision,
  nameOf: ExampleName,
): FloatArray {
  const { count } = reference.native as { count: number }
  const given = values.length / examples
  const where = (example: number) => `references of input ${JSON.stringify(layout.name)}, ${nameOf(example)}`
  if (values instanceof (precision === 'float64' ? Float64Array : Float32Array)) {
    for (let example = 0; example < examples; example++)
      checkReference(values.subarray(example * given, (example + 1) * given), () => where(example))
    return values
  }
  const all = allocate(examples * count * layout.size, precision)
  for (let example = 0; example < examples; example++)
    writeReference(
      values.subarray(example * given, (example + 1) * given),
      layout,
      all.subarray(example * count * layout.size, (example + 1) * count * layout.size),
      () => where(example),
    )
  return all
}

function convert(values: FloatArray, precision: Precision): FloatArray {
  if (precision === 'float64') return values instanceof Float64Array ? values : Float64Array.from(values)
  return values instanceof Float32Array ? values : Float32Array.from(values)
}

export interface Slice {
  native: NativeBatch
  /** Index of its first example in the tensors. */
  offset: number
}

/** Cuts tensors of `examples` examples into native batches, which view them where they can. */
export function* tensorBatches(
  inputs: readonly JobInput[],
  data: readonly TensorData[],
  examples: number,
  settings: { batchSize: number; first: number; precision: Precision },
): Generator<Slice> {
  const { batchSize, first, precision } = settings
  for (let offset = 0; offset < examples; offset += batchSize) {
    const count = Math.min(batchSize, examples - offset)
    const nameOf = (example: number) => `example ${offset + example}`
    const rows = (values: TensorData) => {
      const row = values.length / examples
      return values.subarray(offset * row, (offset + count) * row)
    }
    const native: NativeBatch = {
      first: first + offset,
      examples: count,
      inputs: inputs.map((input, index) => inputValues(rows(data[index]!), input, count, precision, nameOf)),
      references: inputs.map((input) => {
        const { native, values } = input.reference
        if (native.kind !== 'perExample') return undefined
        return referenceValues(rows(values!.tensor.data), input, count, precision, nameOf)
      }),
    }
    yield { native, offset }
  }
}
