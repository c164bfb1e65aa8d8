/** The zoo: published architectures as exporters write them. */

import { basename } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DeepLift, type Precision, type RuleName, type Scores } from '../../src/index.js'
import { sizeOf } from '../../src/tensor.js'
import { expectError } from '../support/errors.js'
import { sharedModels } from '../support/shared.js'
import { largest, largestDifference } from './arrays.js'
import { AGREEMENT, COMPLETE_RULES, COMPLETENESS } from './promises.js'
import { Worst } from './worst.js'
import { type Inputs, randomSequences, referenceKinds, storedArrays } from './zoo-inputs.js'

const paths = sharedModels('zoo')
const worst = new Worst('zoo')

/** Outputs that this release refuses, with the node it must name. */
const REFUSED: Record<string, Record<string, [node: string, op: string]>> = {
  'borzoi.dynamo.onnx': { out0: ['node_layer_norm', 'LayerNormalization'] },
  'borzoi.legacy.onnx': { out0: ['/at/at.0/LayerNormalization', 'LayerNormalization'] },
  'convnext.dynamo.onnx': { out0: ['node_layer_norm', 'LayerNormalization'] },
  'convnext.legacy.onnx': { out0: ['/b1/ln/LayerNormalization', 'LayerNormalization'] },
  'danq.dynamo.onnx': { out0: ['node_lstm__2', 'LSTM'] },
  'danq.legacy.onnx': { out0: ['/bdlstm/LSTM', 'LSTM'] },
  'keras_chrombpnet.tf.onnx': {
    'Identity_1:0': ['functional_1/cnt_1/ReduceLogSumExp/IsFinite__305', 'IsNaN'],
  },
  'keras_chrombpnet.tf.op13.onnx': {
    'Identity_1:0': ['functional_1/cnt_1/ReduceLogSumExp/IsFinite__114', 'IsNaN'],
  },
  'keras_danq.tf.onnx': { 'Identity:0': ['LSTM__2838', 'LSTM'] },
  'keras_danq.tf.op13.onnx': { 'Identity:0': ['LSTM__2644', 'LSTM'] },
  'mha.dynamo.onnx': { out0: ['node_layer_norm', 'LayerNormalization'] },
  'mha.legacy.onnx': { out0: ['/tr/layers.0/norm1/LayerNormalization', 'LayerNormalization'] },
  'saluki.dynamo.onnx': { out0: ['node_gru__1', 'GRU'] },
  'saluki.legacy.onnx': { out0: ['/gru/GRU', 'GRU'] },
}

const isKeras = (path: string) => basename(path).startsWith('keras_')
const refusedOutputs = (path: string) => Object.keys(REFUSED[basename(path)] ?? {})
/** One of its two heads is refused. */
const HALF_REFUSED = ['keras_chrombpnet.tf.onnx', 'keras_chrombpnet.tf.op13.onnx']
const wholeRefused = (path: string) => basename(path) in REFUSED && !HALF_REFUSED.includes(basename(path))
const named = (list: readonly string[]) => list.map((path) => [basename(path), path] as const)

/** The Keras exports on the PyTorch backend were given other random weights: they are networks of their own. */
const networkOf = (path: string) => basename(path).replace(/\.(legacy|dynamo|tf|tf\.op13)\.onnx$/, '')
const architectureOf = (path: string) => basename(path).split('.', 1)[0]!

async function loaded(path: string): Promise<{ model: DeepLift; inputs: Inputs; outputs: string[] }> {
  const model = await DeepLift.load(path)
  const outputs = model.outputs.map(({ name }) => name).filter((name) => !refusedOutputs(path).includes(name))
  if (isKeras(path)) return { model, inputs: randomSequences(model, 2, 1), outputs }
  const stored = await storedArrays(path)
  return { model, inputs: Object.fromEntries(model.inputs.map(({ name }) => [name, stored[name]!])), outputs }
}

/** Values per example where the file leaves the shape of an output open. */
const OPEN_KERAS_OUTPUTS: Record<string, number> = { keras_basenji: 112 * 5 }

async function outputSize(path: string, model: DeepLift, name: string): Promise<number> {
  if (!isKeras(path)) {
    const { shape } = (await storedArrays(path))[name]!
    return sizeOf(shape.slice(1))
  }
  const axes = model.outputs.find((output) => output.name === name)!.shape!.slice(1)
  const fixed = axes.every((extent) => typeof extent === 'number')
  return fixed ? sizeOf(axes as number[]) : OPEN_KERAS_OUTPUTS[architectureOf(path)]!
}

/** The first and the middle value, and the mean of all. */
function someTargets(output: string, size: number) {
  if (size === 1) return [{ output, index: 0 }]
  const seed = new Array<number>(size).fill(1 / size)
  return [
    { output, index: 0 },
    { output, index: size >> 1 },
    { output, seed },
  ]
}

async function scoreAll(
  path: string,
  rule: RuleName,
  precision: Precision,
  use: (scores: Scores, what: string, output: number) => void,
): Promise<void> {
  const { model, inputs, outputs } = await loaded(path)
  for (const [kind, references] of referenceKinds(inputs))
    for (const output of outputs) {
      const target = someTargets(output, await outputSize(path, model, output))
      const scores = await model.score(inputs, { rule, precision, references, target })
      use(
        scores,
        `${kind}, output ${output}`,
        model.outputs.findIndex(({ name }) => name === output),
      )
    }
}

describe.skipIf(paths.length === 0)('zoo', () => {
  test.each(named(paths.filter((path) => refusedOutputs(path).length > 0)))(
    '%s is refused by node name',
    async (file, path) => {
      const model = await DeepLift.load(path)
      const inputs = isKeras(path) ? randomSequences(model, 1, 1) : await storedArrays(path)
      const given = Object.fromEntries(model.inputs.map(({ name }) => [name, inputs[name]!]))
      for (const [output, [node, op]] of Object.entries(REFUSED[file]!))
        await expectError(
          () => model.score(given, { references: 'zeros', target: { output, index: 0 } }),
          'UNSUPPORTED_OP',
          `'${node}' (${op})`,
        )
    },
  )

  const supported = paths.filter((path) => !wholeRefused(path))

  test.each(named(supported.filter((path) => !isKeras(path))))(
    '%s: outputs are the stored ones',
    async (file, path) => {
      const { model, inputs, outputs } = await loaded(path)
      const stored = await storedArrays(path)
      for (const output of outputs) {
        const { data } = stored[output]!
        const size = data.length / inputs[model.inputs[0]!.name]!.shape[0]!
        const target = Array.from({ length: size }, (_, index) => ({ output, index }))
        const scores = await model.score(inputs, { references: 'zeros', target, outputs: [] })
        const error = largestDifference(scores.output.data, data) / largest(data)
        worst.note('forward', error, AGREEMENT, `${file} ${output}`)
        expect(error, output).toBeLessThanOrEqual(AGREEMENT)
      }
    },
  )

  describe.each(COMPLETE_RULES)('%s', (rule) => {
    test.each(
      (['float32', 'float64'] as const).flatMap((precision) =>
        supported.map((path) => [basename(path), precision, path] as const),
      ),
    )('%s: contributions sum to the difference in %s', async (file, precision, path) => {
      await scoreAll(path, rule, precision, ({ worstCompleteness }, what) => {
        worst.note(
          `completeness ${rule} ${precision}`,
          worstCompleteness,
          COMPLETENESS[precision],
          `${file} ${what}`,
        )
        expect(worstCompleteness, what).toBeLessThanOrEqual(COMPLETENESS[precision])
      })
    })

    test.each(
      supported.flatMap((path) => {
        const first = supported.find((other) => networkOf(other) === networkOf(path))!
        return first === path ? [] : [[basename(path), basename(first), path, first] as const]
      }),
    )('%s agrees with %s', async (file, _, path, first) => {
      const expected = new Map<string, Scores>()
      const key = (what: string, output: number) => `${what.split(',', 1)[0]}, output ${output}`
      await scoreAll(first, rule, 'float32', (scores, what, output) =>
        expected.set(key(what, output), scores),
      )
      let compared = 0
      await scoreAll(path, rule, 'float32', (scores, what, output) => {
        const other = expected.get(key(what, output))
        if (!other) return
        const inputs = Object.values(scores.contributions)
        for (const [index, { data }] of Object.values(other.contributions).entries()) {
          const scale = largest(data)
          if (scale === 0) continue
          const error = largestDifference(inputs[index]!.data, data) / scale
          worst.note(`exports agree, ${rule}`, error, AGREEMENT, `${file} ${what}`)
          expect(error, what).toBeLessThanOrEqual(AGREEMENT)
          compared++
        }
      })
      expect(compared).toBeGreaterThanOrEqual(3)
    })
  })
})
