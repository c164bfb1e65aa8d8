/** Mutagenesis of the zoo's architectures against predicting every mutant. */

import { basename } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DeepLift, type Precision } from '../../src/index.js'
import { LETTERS } from '../../src/options/layout.js'
import { sharedModels } from '../support/shared.js'
import { type FloatTensor, largest, takeRows } from './arrays.js'
import { AGREEMENT } from './promises.js'
import { Worst } from './worst.js'
import { randomSequences, storedArrays } from './zoo-inputs.js'

// Saluki reads six channels per position, which are no letters.
const paths = sharedModels('zoo').filter((path) => !basename(path).startsWith('saluki'))
const worst = new Worst('mutagenesis')

/** Relative to the largest output. */
const LIMIT: Partial<Record<Precision, number>> = { float32: AGREEMENT, float64: 1e-12 }

async function loaded(path: string) {
  const model = await DeepLift.load(path)
  const names = model.inputs.map(({ name }) => name)
  if (basename(path).startsWith('keras_')) return { model, inputs: randomSequences(model, 1, 3) }
  const stored = await storedArrays(path)
  return { model, inputs: Object.fromEntries(names.map((name) => [name, takeRows(stored[name]!, [0])])) }
}

/** The input with four letters, the axis that holds them, and where a letter of a position lies. */
function sequenceOf(inputs: Record<string, FloatTensor>) {
  const [name, { shape }] = Object.entries(inputs).find(([, tensor]) =>
    tensor.shape.slice(1).includes(LETTERS),
  )!
  const first = shape[1] === LETTERS
  const length = first ? shape[2]! : shape[1]!
  const at = (position: number, letter: number) =>
    first ? letter * length + position : position * LETTERS + letter
  return { name, length, at, first }
}

/** The one example of a tensor, `count` times. */
function repeated({ data, shape }: FloatTensor, count: number): FloatTensor {
  const all = new Float32Array(count * data.length)
  for (let row = 0; row < count; row++) all.set(data, row * data.length)
  return { data: all, shape: [count, ...shape.slice(1)] }
}

describe.skipIf(paths.length === 0)('mutagenesis', () => {
  test.each(
    paths.flatMap((path) =>
      (['float32', 'float64'] as const).map((precision) => [basename(path), precision, path] as const),
    ),
  )('%s in %s: effects are those of predicting every mutant', async (file, precision, path) => {
    const { model, inputs } = await loaded(path)
    const { name, length, at, first } = sequenceOf(inputs)
    const { data, shape } = inputs[name]!
    // Both ends, and a few positions in the middle over the border of two blocks.
    const windows: [number, number][] = [
      [0, 2],
      [(length >> 1) - 2, (length >> 1) + 2],
      [length - 2, length],
    ]
    const positions = windows.flatMap(([start, end]) =>
      Array.from({ length: end - start }, (_, index) => start + index),
    )
    const size = data.length
    const rows = 1 + positions.length * LETTERS
    const all = new Float32Array(rows * size)
    for (let row = 0; row < rows; row++) all.set(data, row * size)
    for (const [index, position] of positions.entries())
      for (let letter = 0; letter < LETTERS; letter++)
        for (let other = 0; other < LETTERS; other++)
          all[(1 + index * LETTERS + letter) * size + at(position, other)] = letter === other ? 1 : 0
    const mutants = Object.fromEntries(
      Object.entries(inputs).map(([key, tensor]) => [
        key,
        key === name ? { data: all, shape: [rows, ...shape.slice(1)] } : repeated(tensor, rows),
      ]),
    )
    const output = model.outputs[0]!.name
    const predicted = (await model.predict(mutants, { outputs: [output], precision }))[output]!
    const values = predicted.data.length / rows
    const elements = [0, values - 1]
    const most = largest(predicted.data)
    const target = elements.map((element) => ({
      output,
      seed: Float64Array.from({ length: values }, (_, index) => (index === element ? 1 : 0)),
    }))
    let index = 0
    for (const window of windows) {
      const options = { input: name, window, target, peel: false, precision }
      const { effects } = await model.mutagenesis(inputs, options)
      const width = window[1] - window[0]
      expect(effects.shape).toEqual([1, 2, ...(first ? [LETTERS, width] : [width, LETTERS])])
      for (let offset = 0; offset < width; offset++, index++)
        for (let letter = 0; letter < LETTERS; letter++)
          for (const [slot, element] of elements.entries()) {
            const place = first ? letter * width + offset : offset * LETTERS + letter
            const found = effects.data[slot * width * LETTERS + place]!
            const mutant = predicted.data[(1 + index * LETTERS + letter) * values + element]!
            const error = Math.abs(found - (mutant - predicted.data[element]!)) / most
            worst.note(`effects ${precision}`, error, LIMIT[precision]!, file)
            expect(error, `${window} ${offset} ${letter}`).toBeLessThanOrEqual(LIMIT[precision]!)
          }
    }
  })
})
