/** The zoo: published architectures as exporters write them. */

import { basename } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DeepLift, type Precision, type RuleName, type Scores } from '../../src/index.js'
import { sizeOf } from '../../src/tensor.js'
import { sharedModels } from '../support/shared.js'
import { largest, largestDifference } from './arrays.js'
import { AGREEMENT, COMPLETE_RULES, COMPLETENESS } from './promises.js'
import { Worst } from './worst.js'
import { type Inputs, randomSequences, referenceKinds, storedArrays } from './zoo-inputs.js'

const paths = sharedModels('zoo')
const worst = new Worst('zoo')

const isKeras = (path: string) => basename(path).startsWith('keras_')
const named = (list: readonly string[]) => list.map((path) => [basename(path), path] as const)

/** The Keras exports on the PyTorch backend were given other random weights: they are networks of their own. */
const networkOf = (path: string) => basename(path).replace(/\.(legacy|dynamo|tf|tf\.op13)\.onnx$/, '')
const architectureOf = (path: string) => basename(path).split('.', 1)[0]!

async function loaded(path: string): Promise<{ model: DeepLift; inputs: Inputs }> {
  const model = await DeepLift.load(path)
  if (isKeras(path)) return { model, inputs: randomSequences(model, 2, 1) }
  const stored = await storedArrays(path)
  return { model, inputs: Object.fromEntries(model.inputs.map(({ name }) => [name, stored[name]!])) }
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

/** Scores every output against every kind of reference. `what` is the same for other exports of the network. */
async function scoreAll(
  path: string,
  rule: RuleName,
  precision: Precision,
  use: (scores: Scores, what: string) => void,
): Promise<void> {
  const { model, inputs } = await loaded(path)
  for (const [kind, references] of referenceKinds(inputs))
    for (const [position, { name }] of model.outputs.entries()) {
      const target = someTargets(name, await outputSize(path, model, name))
      use(
        await model.score(inputs, { rule, precision, references, target, peel: false }),
        `${kind}, output ${position}`,
      )
    }
}

describe.skipIf(paths.length === 0)('zoo', () => {
  test.each(named(paths.filter((path) => !isKeras(path))))(
    '%s: outputs are the stored ones',
    async (file, path) => {
      const { model, inputs } = await loaded(path)
      const stored = await storedArrays(path)
      const predicted = await model.predict(inputs)
      for (const { name: output } of model.outputs) {
        const { data } = stored[output]!
        const size = data.length / inputs[model.inputs[0]!.name]!.shape[0]!
        const target = Array.from({ length: size }, (_, index) => ({ output, index }))
        const scores = await model.score(inputs, { references: 'zeros', target, outputs: [], peel: false })
        const error = largestDifference(scores.output.data, data) / largest(data)
        worst.note('forward', error, AGREEMENT, `${file} ${output}`)
        expect(error, output).toBeLessThanOrEqual(AGREEMENT)
        const alone = largestDifference(predicted[output]!.data, data) / largest(data)
        worst.note('forward alone', alone, AGREEMENT, `${file} ${output}`)
        expect(alone, output).toBeLessThanOrEqual(AGREEMENT)
      }
    },
  )

  describe.each(COMPLETE_RULES)('%s', (rule) => {
    test.each(
      (['float32', 'float64'] as const).flatMap((precision) =>
        paths.map((path) => [basename(path), precision, path] as const),
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
      paths.flatMap((path) => {
        const first = paths.find((other) => networkOf(other) === networkOf(path))!
        return first === path ? [] : [[basename(path), basename(first), path, first] as const]
      }),
    )('%s agrees with %s', async (file, _, path, first) => {
      const expected = new Map<string, Scores>()
      await scoreAll(first, rule, 'float32', (scores, what) => expected.set(what, scores))
      let compared = 0
      await scoreAll(path, rule, 'float32', (scores, what) => {
        const other = expected.get(what)!
        // Names of inputs may differ between exports; their order does not.
        const tensors = ({ output, contributions }: Scores) => [output, ...Object.values(contributions)]
        for (const [index, { data }] of tensors(other).entries()) {
          const scale = largest(data)
          if (scale === 0) continue
          const error = largestDifference(tensors(scores)[index]!.data, data) / scale
          worst.note(`exports agree, ${rule}`, error, AGREEMENT, `${file} ${what}`)
          expect(error, what).toBeLessThanOrEqual(AGREEMENT)
          compared++
        }
      })
      expect(compared).toBeGreaterThanOrEqual(4)
    })
  })
})
