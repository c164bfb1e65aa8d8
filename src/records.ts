/** Records of a stream, one example each, gathered into native batches. */

import { inputValues, referenceValues } from './batches.js'
import { DeepLiftError } from './errors.js'
import { byteRank, checkNames, matchExample } from './inputs.js'
import type { Batching, GivenInput, JobInput } from './job.js'
import type { NativeBatch } from './native.js'
import { show } from './options/check.js'
import { LETTERS } from './options/layout.js'
import type { PlanChoices } from './options/score-options.js'
import type { InputInfo } from './options/tensor-info.js'
import { checkTensor, type InputData, showShape, type Tensor, type TensorData } from './tensor.js'

/** A sequence, for a model with one input that takes sequences. */
export interface SequenceInput {
  /** Names the example in messages and results. */
  name?: string
  /** One byte per base: A 0, C 1, G 2, T 3, unknown 4. */
  codes: Uint8Array
  /** With `references: 'record'`: values `[…]` or `[R, …]` by input name. */
  references?: Readonly<Record<string, Tensor<InputData>>>
}

/** The inputs of one example, without batch axes. */
export interface TensorRecord {
  name?: string
  /** `[…]`, or `[length]` of base codes, by input name. */
  inputs: Readonly<Record<string, Tensor<InputData>>>
  references?: Readonly<Record<string, Tensor<InputData>>>
}

export type StreamRecord = SequenceInput | TensorRecord

/** A native batch and the records that it holds. */
export interface RecordBatch<R> {
  native: NativeBatch
  records: R[]
}

/** The record as the stream numbers it, and by name if it has one. */
function recordName(record: unknown, number: number): string {
  const name = (record as { name?: unknown } | undefined)?.name
  return typeof name === 'string' && name !== '' ? `record ${JSON.stringify(name)}` : `record ${number}`
}

/** The tensors of one record, in the order of the model's inputs. */
function tensorsOf(record: StreamRecord, expected: readonly InputInfo[], where: string): Tensor[] {
  if (typeof record !== 'object' || record === null)
    throw new DeepLiftError(
      'INVALID_INPUT',
      `${where}: expected { codes } or { inputs }, found ${show(record)}.`,
    )
  if ('codes' in record) {
    if (expected.length !== 1)
      throw new DeepLiftError(
        'INVALID_INPUT',
        `${where}: the model has the inputs ${expected.map(({ name }) => name).join(', ')}; give records ` +
          '{ inputs: { name: { data, shape } } } instead of { codes }.',
      )
    const { codes } = record
    if (!(codes instanceof Uint8Array))
      throw new DeepLiftError(
        'INVALID_INPUT',
        `${where}: codes: expected a Uint8Array, found ${show(codes)}.`,
      )
    return [{ data: codes, shape: [codes.length] }]
  }
  const values = checkNames(record.inputs, expected, `${where}: inputs`)
  return expected.map((info) => {
    const rank = byteRank(info, info.shape.length - 1)
    return checkTensor(values[info.name], `${where}: input ${JSON.stringify(info.name)}`, rank)
  })
}

/** What the first record says about all of them. */
export function layoutsOf(
  record: StreamRecord,
  expected: readonly InputInfo[],
  channelAxis: PlanChoices['channelAxis'],
): GivenInput[] {
  const where = recordName(record, 0)
  return tensorsOf(record, expected, where).map((tensor, index) => {
    const info = expected[index]!
    try {
      const { references } = record
      const fromRecord = references?.[info.name]
      return {
        ...matchExample(info, tensor, channelAxis),
        ...(fromRecord && { fromRecord: checkTensor(fromRecord, `references.${info.name}`) }),
      }
    } catch (error) {
      if (error instanceof DeepLiftError) error.message = `${where}: ${error.message}`
      throw error
    }
  })
}

/**
 * Batches of records. The source is told when the consumer leaves.
 *
 * @param first The record already taken from `source`, to learn the layouts from.
 */
export async function* recordBatches<R extends StreamRecord>(
  job: Batching,
  expected: readonly InputInfo[],
  first: R,
  source: Iterator<R> | AsyncIterator<R>,
  firstExample: number,
): AsyncGenerator<RecordBatch<R>> {
  let number = 0
  let exhausted = false
  let next: R | undefined = first
  try {
    while (!exhausted) {
      const records: R[] = []
      const rows: Tensor[][] = []
      while (records.length < job.batchSize) {
        if (next === undefined) {
          const step = await source.next()
          if (step.done) {
            exhausted = true
            break
          }
          next = step.value
        }
        rows.push(checkedRow(next, job.inputs, expected, number + records.length))
        records.push(next)
        next = undefined
      }
      if (records.length === 0) return
      yield { native: gather(job, records, rows, firstExample + number, number), records }
      number += records.length
    }
  } finally {
    if (!exhausted) await source.return?.()
  }
}

/** The tensors of one record, each with as many elements as those of the first. */
function checkedRow(
  record: StreamRecord,
  inputs: readonly JobInput[],
  expected: readonly InputInfo[],
  number: number,
): Tensor[] {
  const where = recordName(record, number)
  const row = tensorsOf(record, expected, where)
  for (const [index, { data, shape }] of row.entries()) {
    const { layout } = inputs[index]!
    const codes = data instanceof Uint8Array
    const length = codes ? layout.size / LETTERS : layout.size
    const sameShape = codes || shape.every((extent, axis) => extent === layout.shape[axis])
    if (data.length === length && sameShape) continue
    throw codes
      ? new DeepLiftError('INVALID_SEQUENCE', `${where}: expected ${length} bases, found ${data.length}.`, {
          details: { expected: length, found: data.length },
        })
      : new DeepLiftError(
          'INVALID_INPUT',
          `${where}: input ${JSON.stringify(layout.name)}: expected the shape ${showShape(layout.shape)}, as the ` +
            `first record has it; found ${showShape(shape)}.`,
        )
  }
  return row
}

function gather(
  job: Batching,
  records: readonly StreamRecord[],
  rows: readonly Tensor[][],
  first: number,
  number: number,
): NativeBatch {
  const nameOf = (example: number) => recordName(records[example], number + example)
  const examples = records.length
  return {
    first,
    examples,
    inputs: job.inputs.map((input, index) => {
      const parts = rows.map((row) => row[index]!.data)
      return inputValues(join(parts, nameOf), input, examples, job.precision, nameOf)
    }),
    references: job.inputs.map((input) => {
      const { native } = input.reference
      if (native.kind !== 'perExample') return undefined
      const parts = records.map((record, example) => recordReference(record, input, nameOf(example)))
      return referenceValues(join(parts, nameOf), input, examples, job.precision, nameOf)
    }),
  }
}

function recordReference(record: StreamRecord, { layout, reference }: JobInput, where: string): TensorData {
  const { data } = checkTensor(record.references?.[layout.name], `${where}: references.${layout.name}`)
  const expected = reference.values!.tensor
  if (data.length !== expected.data.length)
    throw new DeepLiftError(
      'INVALID_INPUT',
      `${where}: references.${layout.name}: expected the shape ${showShape(expected.shape)}, as the first record has ` +
        `it; found ${data.length} elements.`,
    )
  return data
}

/** All parts in a row; they are of one type. */
function join(parts: readonly TensorData[], nameOf: (example: number) => string): TensorData {
  const [first] = parts
  if (parts.length === 1) return first!
  const all = new (first!.constructor as Float64ArrayConstructor)(parts.length * first!.length) as TensorData
  for (const [index, part] of parts.entries()) {
    if (part.constructor !== first!.constructor)
      throw new DeepLiftError(
        'INVALID_INPUT',
        `${nameOf(index)}: its data are a ${part.constructor.name}, those of the records before it a ` +
          `${first!.constructor.name}; records of one stream are alike.`,
      )
    all.set(part, index * part.length)
  }
  return all
}
