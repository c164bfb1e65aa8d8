/** Results, and how those of one native call become tensors. */

import type { FloatArray, NativeResult } from './native.js'
import type { Layout } from './options/layout.js'
import { OUTPUT_NAMES, type OutputName } from './options/score-options.js'
import { sizeOf, type Tensor } from './tensor.js'

/**
 * `n` examples, `T` targets, `R` references. The axis of targets is there only if `target` was an array. Values are
 * Float32Array, or Float64Array with `precision: 'float64'`.
 */
export interface Scores {
  /** By input name, `[n, T?, …one example]`; empty if not among `outputs`, and so for the next three. */
  contributions: Record<string, Tensor<FloatArray>>
  /** `[n, T?, …one example]`, for inputs with an axis of letters. */
  hypothetical: Record<string, Tensor<FloatArray>>
  /** `[n, T?, …one example]`. */
  multipliers: Record<string, Tensor<FloatArray>>
  /** `[n, R, T?, …one example]`. */
  perReference: Record<string, Tensor<FloatArray>>
  /** The target's value on each example, `[n, T?]`. */
  output: Tensor<Float64Array>
  /** Its mean over the references, `[n, T?]`. */
  referenceOutput: Tensor<Float64Array>
  /**
   * |sum of contributions − (output − reference output)|, relative to the largest of these values, `[n, T?]`. About
   * 1e-6 in float32; rules that do not promise to sum up (`gradient`) leave it large.
   */
  completeness: Tensor<Float64Array>
  /** The largest of `completeness`. */
  worstCompleteness: number
  /** What the plan warns of, such as a target behind a saturating layer. */
  warnings: readonly string[]
}

export interface ResultShape {
  layouts: readonly Layout[]
  targets: number
  several: boolean
  references: number
}

/** Shapes per example of one output of one input. */
function exampleShape(output: OutputName, input: number, shape: ResultShape): number[] {
  const targets = shape.several ? [shape.targets] : []
  const references = output === 'perReference' ? [shape.references] : []
  return [...references, ...targets, ...shape.layouts[input]!.shape]
}

/** The tensors of one native call, which they view. */
export function toScores(
  result: NativeResult,
  examples: number,
  shape: ResultShape,
  worstCompleteness: number,
  warnings: readonly string[],
): Scores {
  const named = Object.fromEntries(
    OUTPUT_NAMES.map((output) => [
      output,
      Object.fromEntries(
        shape.layouts.flatMap(({ name }, input) => {
          const data = result[output][input]
          if (!data?.length) return []
          return [[name, { data, shape: [examples, ...exampleShape(output, input, shape)] }]]
        }),
      ),
    ]),
  ) as unknown as Pick<Scores, OutputName>
  const perTarget = (data: Float64Array) => ({
    data,
    shape: shape.several ? [examples, shape.targets] : [examples],
  })
  return {
    ...named,
    output: perTarget(result.output),
    referenceOutput: perTarget(result.referenceOutput),
    completeness: perTarget(result.completeness),
    worstCompleteness,
    warnings,
  }
}

/** Bytes that come out of native code for one example. */
export function resultBytes(
  shape: ResultShape,
  outputs: Record<OutputName, boolean>,
  valueBytes: number,
): number {
  const asked = OUTPUT_NAMES.filter((output) => outputs[output])
  return shape.layouts.reduce(
    (sum, _, input) =>
      sum +
      asked.reduce((bytes, output) => bytes + valueBytes * sizeOf(exampleShape(output, input, shape)), 0),
    0,
  )
}
