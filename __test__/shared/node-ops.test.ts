/** Every single-operator model, in each form that can be scored, against the outputs of the ONNX project. */

import { describe, expect, test } from 'vitest'
import { DeepLiftError } from '../../src/index.js'
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

/** Models that no form scores, with a part of what is said about one. */
const REFUSED: Record<string, string> = {
  test_affine_grid_2d_align_corners_expanded: '(If): operator If has no rule',
  test_affine_grid_2d_expanded: '(If): operator If has no rule',
  test_det_2d: '(Det): operator Det has no rule',
  test_dropout_default_mask: '(Dropout): its output 1 is used',
  test_maxpool_with_argmax_2d_precomputed_strides: '(MaxPool): its output 1 is used',
  // The logarithm of nothing is minus infinity.
  test_reduce_log_sum_exp_empty_set: 'are not finite',
  // There is nothing to score.
  test_slice_start_out_of_bounds: 'at least one target',
  test_split_zero_size_splits_opset13: 'at least one target',
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
  test_greater: ['weights'],
  test_greater_equal: ['weights'],
  test_less: ['weights'],
  test_max_example: ['weights'],
  test_mean_two_inputs: ['weights'],
  test_min_example: ['weights'],
  test_pow_types_float32_int32: ['data'],
  test_pow_types_float32_int64: ['data'],
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
        if (error instanceof DeepLiftError) expect(error.code, String(error)).not.toBe('INTERNAL')
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

const named = (list: readonly NodeCase[]) => list.map((each) => [each.name, each] as const)

describe.skipIf(cases.length === 0)('single operators', () => {
  const run = cases.filter(({ name }) => !(name in REFUSED))
  const refused = cases.filter(({ name }) => name in REFUSED)

  test('coverage', () => {
    expect([run.length, refused.length, cases.length]).toEqual([288, 8, 296])
    const names = cases.map(({ name }) => name)
    for (const name of [...Object.keys(REFUSED), ...Object.keys(JOINS_EXAMPLES), ...Object.keys(FIXED_ROWS)])
      expect(names).toContain(name)
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
    expect(refusals.map(String).join('\n')).toContain(REFUSED[each.name])
  })
})
