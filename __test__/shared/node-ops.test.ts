/** Every single-operator model, in each form that can be scored, against the outputs of the ONNX project. */

import { describe, expect, test } from 'vitest'
import type { DeepLiftError } from '../../src/index.js'
import {
  FORMS,
  type Form,
  isForm,
  isRefusal,
  type NodeCase,
  readNodeCases,
  runForm,
  valuesOf,
} from './node-cases.js'
import { Worst } from './worst.js'

const cases = readNodeCases()
const worst = new Worst('single operators')

/** Operators without a rule; a model that has one of them is refused by its name. */
const NO_RULE = [
  [
    'ArgMax',
    'Attention',
    'CastLike',
    'Ceil',
    'ConvTranspose',
    'Cos',
    'DepthToSpace',
    'Det',
    'EyeLike',
    'Floor',
  ],
  [
    'GRU',
    'GatherElements',
    'GatherND',
    'GroupNormalization',
    'Hardmax',
    'If',
    'InstanceNormalization',
    'LRN',
  ],
  ['LSTM', 'LayerNormalization', 'LpNormalization', 'LpPool', 'Mean', 'MeanVarianceNormalization', 'OneHot'],
  ['RMSNormalization', 'RNN', 'ReduceL1', 'ReduceL2', 'ReduceLogSum', 'ReduceSumSquare', 'Resize'],
  [
    'RotaryEmbedding',
    'Round',
    'ScatterElements',
    'ScatterND',
    'Shrink',
    'Sin',
    'SpaceToDepth',
    'TopK',
    'Upsample',
  ],
].flat()

/** Models of operators that have a rule, refused in every form. */
const REFUSED: Record<string, string> = {
  test_dropout_default_mask: 'its second output is read',
  test_gemm_all_attributes:
    'transposed, so that rows of the input are no batch; constants are not multiplied',
  test_gemm_default_matrix_bias: 'a bias per row of the batch; constants are not multiplied',
  test_matmul_1d_1d: 'vectors without a batch; constants are not multiplied',
  test_matmul_3d: 'a product of two computed tensors; constants are not multiplied',
  test_matmul_4d: 'a product of two computed tensors; constants are not multiplied',
  test_matmul_4d_1d: 'a vector; constants are not multiplied',
  test_maxpool_with_argmax_2d_precomputed_strides: 'its second output is read',
  test_pow_bcast_array: 'an exponent per element',
  test_pow_types_float32_int32: 'an exponent per element',
  test_pow_types_float32_int64: 'an exponent per element',
  test_reduce_log_sum_exp_empty_set: 'no elements',
  test_slice_start_out_of_bounds: 'its output has no elements',
  test_split_zero_size_splits_opset13: 'no elements',
}

/** Forms in which the operator joins the examples of any batch. They are refused. */
const JOINS_EXAMPLES: Record<string, readonly Form[]> = {
  test_logsoftmax_axis_0: ['data'],
  test_mvn_expanded: ['data'],
  test_softmax_axis_0: ['data'],
}

/**
 * Forms that only run for one example or for the number of rows of a constant. An example is scored alone, which is
 * what the model gives for one example, but not what the expected values are.
 */
const FIXED_ROWS: Record<string, readonly Form[]> = {
  test_div: ['weights'],
  test_div_example: ['weights'],
  test_expand_dim_changed: ['data'],
  test_mul: ['weights'],
  test_rms_normalization_2d_axis0_expanded: ['data', 'weights'],
  test_sub: ['weights'],
  test_sub_example: ['weights'],
  test_sum_example: ['weights'],
}

/** The forms that were accepted for each output, and the refusals; what is accepted must be right. */
async function runForms(each: NodeCase): Promise<{ accepted: Form[][]; refusals: Error[] }> {
  const refusals: Error[] = []
  const accepted: Form[][] = []
  for (const output of each.outputs) {
    const forms: Form[] = []
    for (const form of FORMS) {
      if (!isForm(each, form) || FIXED_ROWS[each.name]?.includes(form)) continue
      const joins = JOINS_EXAMPLES[each.name]?.includes(form)
      try {
        const actual = await runForm(each, form, output)
        expect(joins, `${form} joins examples and was accepted`).toBeFalsy()
        compare(each, form, actual, valuesOf(output))
        forms.push(form)
      } catch (error) {
        if (!isRefusal(error)) throw error
        expect((error as DeepLiftError).code, String(error)).not.toBe('INTERNAL')
        if (joins) expect(String(error)).toContain('other examples of the batch')
        refusals.push(error as Error)
      }
    }
    accepted.push(forms)
  }
  return { accepted, refusals }
}

function compare(each: NodeCase, form: Form, actual: Float64Array, expected: Float64Array): void {
  expect(actual.length, form).toBe(expected.length)
  for (const [index, value] of expected.entries()) {
    if (Object.is(actual[index], value)) continue
    const error = Math.abs(actual[index]! - value)
    const limit = each.atol + each.rtol * Math.abs(value)
    worst.note(form, error, limit, each.name)
    expect(error, `${form}, element ${index}: ${actual[index]} for ${value}`).toBeLessThanOrEqual(limit)
  }
}

const hasNoRule = ({ nodeTypes }: NodeCase) => nodeTypes.some((type) => NO_RULE.includes(type))
const named = (list: readonly NodeCase[]) => list.map((each) => [each.name, each] as const)

describe.skipIf(cases.length === 0)('single operators', () => {
  const refused = cases.filter((each) => hasNoRule(each) || each.name in REFUSED)
  const run = cases.filter((each) => !refused.includes(each))

  test('coverage', () => {
    expect([run.length, refused.length, cases.length]).toEqual([171, 125, 296])
    const names = cases.map(({ name }) => name)
    for (const name of [...Object.keys(REFUSED), ...Object.keys(JOINS_EXAMPLES), ...Object.keys(FIXED_ROWS)])
      expect(names).toContain(name)
    const types = new Set(cases.flatMap(({ nodeTypes }) => nodeTypes))
    for (const type of NO_RULE) expect(types).toContain(type)
  })

  test.each(named(run))('%s', async (_, each) => {
    const { accepted, refusals } = await runForms(each)
    for (const [position, forms] of accepted.entries())
      expect(
        forms.length,
        `${each.outputs[position]!.name}: ${refusals.map(String).join('; ')}`,
      ).toBeGreaterThan(0)
  })

  test.each(named(refused))('%s is refused', async (_, each) => {
    const { accepted, refusals } = await runForms(each)
    expect(accepted.some((forms) => forms.length === 0)).toBe(true)
    if (!hasNoRule(each)) return
    const byName = refusals.filter((error) => NO_RULE.some((type) => error.message.includes(`(${type})`)))
    expect(byName.length).toBeGreaterThan(0)
    for (const error of byName) expect((error as DeepLiftError).code).toBe('UNSUPPORTED_OP')
  })
})
