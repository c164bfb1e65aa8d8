/** The networks of the paper, as converted from its Keras files, beside their conformance twins. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DeepLift } from '../../src/index.js'
import { SHARED } from '../support/shared.js'
import { type FloatTensor, largest, largestDifference, readTensor, takeRows } from './arrays.js'
import { AGREEMENT, COMPLETE_RULES, COMPLETENESS, type Precision } from './promises.js'
import { Worst } from './worst.js'

const FOLDER = join(SHARED, 'paper')
const CONFORMANCE = join(SHARED, 'conformance')
const present = existsSync(FOLDER) && existsSync(CONFORMANCE)
if (!present)
  console.warn(
    `${FOLDER} or ${CONFORMANCE} is absent: the paper's networks are not tested (set DEEPLIFT_SHARED)`,
  )
const worst = new Worst('paper')

const NETWORKS = [
  { file: 'deeplift_genomics.onnx', input: 'sequence', data: 'genomics', examples: 20, classes: 3 },
  { file: 'mnist_allconv.onnx', input: 'image', data: 'mnist', examples: 10, classes: 10 },
]

/**
 * Logits of the MNIST network can be 26 where |contributions| sum to 11,000: in float32 the last bits of those are
 * more than the promised share of the logit.
 */
const MNIST_COMPLETENESS = 1.9e-5

/** `[n, channels, …]` as `[n, …, channels]`. */
function channelsLast({ data, shape }: FloatTensor): FloatTensor {
  const [examples, channels, ...axes] = shape as [number, number, ...number[]]
  const positions = data.length / examples / channels
  const moved = data.slice()
  for (let example = 0; example < examples; example++)
    for (let channel = 0; channel < channels; channel++)
      for (let position = 0; position < positions; position++)
        moved[(example * positions + position) * channels + channel] =
          data[(example * channels + channel) * positions + position]!
  return { data: moved, shape: [examples, ...axes, channels] }
}

describe.skipIf(!present)('paper', () => {
  describe.each(NETWORKS)('$file', ({ file, input, data, examples, classes }) => {
    test.each(
      (['float32', 'float64'] as const).flatMap((precision: Precision) =>
        COMPLETE_RULES.map((rule) => [rule, precision] as const),
      ),
    )('%s in %s: complete, and the scores of the channels-first network', async (rule, precision) => {
      const all = await readTensor(join(CONFORMANCE, 'data', data, 'inputs.npy'))
      const values = takeRows(
        all,
        Array.from({ length: examples }, (_, index) => index),
      )
      const target = Array.from({ length: classes }, (_, index) => ({ output: 'logits', index }))
      const options = { rule, precision, references: 'zeros', target } as const
      const ours = await (await DeepLift.load(join(FOLDER, file))).score({ x: channelsLast(values) }, options)
      const twin = await (await DeepLift.load(join(CONFORMANCE, 'models', file))).score(
        { [input]: values },
        options,
      )
      const axes = twin.contributions[input]!.shape.slice(2)
      const expected = channelsLast({
        data: twin.contributions[input]!.data,
        shape: [examples * classes, ...axes],
      })
      const actual = ours.contributions.x!
      expect(actual.shape).toEqual([examples, classes, ...expected.shape.slice(1)])
      const error = largestDifference(actual.data, expected.data) / largest(expected.data)
      worst.note(`twins agree ${precision}`, error, AGREEMENT, `${file} ${rule}`)
      expect(error).toBeLessThanOrEqual(AGREEMENT)
      const cancels = data === 'mnist' && precision === 'float32'
      const limit = cancels ? MNIST_COMPLETENESS : COMPLETENESS[precision]
      worst.note(`completeness ${precision}`, ours.worstCompleteness, limit, `${file} ${rule}`)
      expect(ours.worstCompleteness).toBeLessThanOrEqual(limit)
    })
  })
})
