/** BPNet with weights of other types and in a side file. */

import { readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DeepLift, dinucleotideShuffle, type Precision, type Scores } from '../../src/index.js'
import { SHARED, sharedModels } from '../support/shared.js'
import { largest, largestDifference } from './arrays.js'
import { AGREEMENT, COMPLETE_RULES, COMPLETENESS } from './promises.js'
import { rewriteModel, widenWeights } from './rewrite.js'
import { Worst } from './worst.js'
import { storedArrays } from './zoo-inputs.js'

const paths = sharedModels('zoo/external')
const original = join(SHARED, 'zoo', 'bpnet.dynamo.onnx')
const worst = new Worst('external')

/** How far rounding the weights moves contributions, relative to the largest. */
const ROUNDING: Record<string, number> = {
  'bpnet_bfloat16.onnx': 2e-2,
  'bpnet_default.onnx': AGREEMENT,
  'bpnet_float16.onnx': 5e-3,
  'bpnet_float64.onnx': AGREEMENT,
}

describe.skipIf(paths.length === 0)('external', () => {
  async function score(
    source: string | Uint8Array,
    output: number,
    rule: (typeof COMPLETE_RULES)[number],
    precision: Precision,
  ): Promise<Scores> {
    const model = await DeepLift.load(source)
    const { sequence } = await storedArrays(original)
    const [input] = model.inputs
    const { name } = model.outputs[output]!
    const size = output === 0 ? 400 : 1
    return await model.score(
      { [input!.name]: sequence! },
      {
        references: dinucleotideShuffle({ count: 3, seed: 1 }),
        rule,
        precision,
        target: { output: name, index: size >> 1 },
      },
    )
  }

  test('the files are those that are known', () => {
    expect(paths.map((path) => basename(path))).toEqual(Object.keys(ROUNDING))
  })

  test.each(paths.map((path) => [basename(path), path]))('%s: outputs', async (file, path) => {
    const model = await DeepLift.load(path)
    const { sequence, ...outputs } = await storedArrays(original)
    for (const [position, { name }] of model.outputs.entries()) {
      const { data } = outputs[`out${position}`]!
      const target = Array.from({ length: data.length / 2 }, (_, index) => ({ output: name, index }))
      const scores = await model.score({ x: sequence! }, { references: 'zeros', target, outputs: [] })
      const error = largestDifference(scores.output.data, data) / largest(data)
      worst.note(`forward ${file}`, error, ROUNDING[file]!, name)
      expect(error, name).toBeLessThanOrEqual(ROUNDING[file]!)
    }
  })

  describe.each(COMPLETE_RULES)('%s', (rule) => {
    test.each(paths.map((path) => [basename(path), path]))('%s: contributions', async (file, path) => {
      for (const output of [0, 1]) {
        for (const precision of ['float32', 'float64'] as const) {
          const { worstCompleteness } = await score(path, output, rule, precision)
          worst.note(`completeness ${precision}`, worstCompleteness, COMPLETENESS[precision], file)
          expect(worstCompleteness).toBeLessThanOrEqual(COMPLETENESS[precision])
        }
        const actual = await score(path, output, rule, 'float32')
        const expected = await score(original, output, rule, 'float32')
        const values = expected.contributions.sequence!.data
        const error = largestDifference(actual.contributions.x!.data, values) / largest(values)
        worst.note(`contributions ${file}`, error, ROUNDING[file]!, `${rule}, output ${output}`)
        expect(error).toBeLessThanOrEqual(ROUNDING[file]!)
      }
    })
  })

  test.each(['bpnet_bfloat16.onnx', 'bpnet_float16.onnx'])(
    '%s gives the numbers of its weights written as float32',
    async (file) => {
      const path = join(dirname(paths[0]!), file)
      const wide = rewriteModel(readFileSync(path), widenWeights)
      for (const output of [0, 1]) {
        const expected = await score(wide, output, 'rescale', 'float32')
        const actual = await score(path, output, 'rescale', 'float32')
        expect(actual.contributions.x!.data).toEqual(expected.contributions.x!.data)
        expect(actual.output.data).toEqual(expected.output.data)
      }
    },
  )
})
