/**
 * Variants: choices on which implementations of DeepLIFT differ, beside the rule.
 *
 * The defaults are exactly complete. The others reproduce the implementation that each names, to compare with it; some
 * are not complete, which `completeness` of the scores shows.
 */

import { checkChoice, checkKeys } from './check.js'

const CHOICES = {
  maxPool: ['cross', 'path', 'shapley', 'argmax'],
  binaryMax: ['shapley', 'cross', 'path'],
  softmax: ['logmean', 'elementwise', 'decomposed'],
  nearZero: ['accurate', 'deeplift', 'captum', 'shap', 'tangermeme'],
} as const

export interface Variants {
  /**
   * Maxima over windows, and over axes.
   * - `cross` (default): the position that wins on the input, or on the reference, whichever maximum is larger, gets the
   *   difference. As Captum 0.8, SHAP 0.51 and tangermeme 1.4 where windows do not overlap; complete where they do, too
   * - `path`: each position for the share of the straight line from reference to input on which it wins
   * - `shapley`: Shapley values of the elements of the window; ties share
   * - `argmax`: all to the position that wins on the input, as the original DeepLIFT 0.6; not complete
   */
  maxPool?: (typeof CHOICES.maxPool)[number]
  /**
   * Maximum and minimum of several tensors, element by element.
   * - `shapley` (default): both orders of changing them, averaged, as SHAP 0.51 for TensorFlow
   * - `cross`, `path`: as of `maxPool`
   */
  binaryMax?: (typeof CHOICES.binaryMax)[number]
  /**
   * - `logmean` (default): closed form with logarithmic means; does not change if a constant is added to all logits
   * - `elementwise`: difference of each output over difference of its own input, as SHAP 0.51 for PyTorch
   * - `decomposed`: exponential, sum and quotient one by one, on logits less their maximum, as SHAP 0.51 for TensorFlow
   */
  softmax?: (typeof CHOICES.softmax)[number]
  /**
   * What stands for the quotient of differences where the difference of the input is small.
   * - `accurate` (default): its limit, to rounding error, without a threshold
   * - `deeplift`: the derivative at the reference below 1e-7, as the original DeepLIFT 0.6
   * - `captum`: the derivative at the input below 1e-10, as Captum 0.8
   * - `shap`: the derivative at the reference below 1e-6, as SHAP 0.51
   * - `tangermeme`: the derivative at the input below 1e-6, as tangermeme 1.4
   */
  nearZero?: (typeof CHOICES.nearZero)[number]
}

export type VariantName = keyof Variants

export const VARIANTS: { readonly [Name in VariantName]: readonly string[] } = CHOICES

/** Checks variants; those that are not given are left to native code. */
export function resolveVariants(variants: Variants = {}): Variants {
  checkKeys(variants, Object.keys(CHOICES), 'variants')
  const given = Object.entries(variants).filter(([, value]) => value !== undefined)
  for (const [name, value] of given) checkChoice(value, VARIANTS[name as VariantName], `variants: ${name}`)
  return Object.fromEntries(given)
}
