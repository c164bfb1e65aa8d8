/** Results, and how those of one native call become tensors. */

import type { FloatArray, NativeResult } from './native.js'
import { OUTPUT_NAMES, type OutputName } from './options/score-options.js'
import { sizeOf, type Tensor } from './tensor.js'

/**
 * `n` examples, `T` targets, `R` references. The axis of targets is there only if `target` was an array. Values are
 * Float32Array, or Float64Array with `precision: 'float64'`.
 */
export interface Scores {
  /**
   * By name of the input, or of the layer with the option `layers`, `[n, T?, …one example]`; empty if not among
   * `outputs`, and so for the next three.
   */
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
   * What contributions sum to, `[n, T?]`: `output` less `referenceOutput`, except for profile heads under constant
   * weights.
   */
  delta: Tensor<Float64Array>
  /**
   * |sum of contributions − delta|, relative to the largest of delta, output and reference output, `[n, T?]`. About
   * 1e-6 in float32; rules that do not promise to sum up (`gradient`) leave it large.
   */
  completeness: Tensor<Float64Array>
  /** The largest of `completeness`. */
  worstCompleteness: number
  /** What the plan warns of, such as a target behind a saturating layer. */
  warnings: readonly string[]
}

export interface ResultShape {
  /** What native code scores, in its order: name, and shape of one example. */
  scored: readonly { name: string; shape: readonly number[] }[]
  targets: number
  several: boolean
  references: number
}

/** Shape per example of one output of one input or layer. */
function exampleShape(output: OutputName, index: number, shape: ResultShape): number[] {
  const targets = shape.several ? [shape.targets] : []
  const references = output === 'perReference' ? [shape.references] : []
  return [...references, ...targets, ...shape.scored[index]!.shape]
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
        shape.scored.flatMap(({ name }, index) => {
          const data = result[output][index]
          if (!data?.length) return []
          return [[name, { data, shape: [examples, ...exampleShape(output, index, shape)] }]]
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
    delta: perTarget(result.delta),
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
  return shape.scored.reduce(
    (sum, _, index) =>
      sum +
      asked.reduce((bytes, output) => bytes + valueBytes * sizeOf(exampleShape(output, index, shape)), 0),
    0,
  )
}
