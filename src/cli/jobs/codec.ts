/** Batches as arrays with a row per example and a text that says how to make batches of them again. */

import type { FloatArray } from '../../native.js'
import type { Tensor } from '../../tensor.js'
import type { Batch } from './job.js'

export type Rows = Tensor<FloatArray | Uint8Array>

/** Objects of objects and numbers of arrays. */
export interface Outline {
  [name: string]: number | Outline
}

export function takeApart(batch: Batch): { outline: string; arrays: Rows[] } {
  const arrays: Rows[] = []
  const { records: _, warnings: __, ...results } = batch
  return { outline: JSON.stringify(outlineOf(results, arrays)), arrays }
}

function outlineOf(value: object, arrays: Rows[]): Outline {
  const outline: Outline = {}
  for (const [name, member] of Object.entries(value)) {
    if (isRows(member)) outline[name] = arrays.push(member) - 1
    else if (typeof member === 'object' && member !== null) outline[name] = outlineOf(member, arrays)
  }
  return outline
}

function isRows(value: unknown): value is Rows {
  return typeof value === 'object' && value !== null && 'data' in value && 'shape' in value
}

/** The results of a batch, without its records. */
export function putTogether(outline: string, arrays: readonly Rows[]): Record<string, unknown> {
  return resultsOf(JSON.parse(outline) as Outline, arrays)
}

function resultsOf(outline: Outline, arrays: readonly Rows[]): Record<string, unknown> {
  const entries = Object.entries(outline)
  return Object.fromEntries(
    entries.map(([name, member]) => [
      name,
      typeof member === 'number' ? arrays[member] : resultsOf(member, arrays),
    ]),
  )
}
