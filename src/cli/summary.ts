/** What a command says at its end. */

import { resolveRule, sumsToDifference } from '../options/rule.js'
import type { StreamOptions } from '../options/score-options.js'
import { duration } from './progress-line.js'

/** `1000 examples in 12 s (83.3/s)`. */
export function rateText({ examples, seconds }: { examples: number; seconds: number }, unit: string): string {
  return `${examples} ${unit} in ${duration(seconds)} (${(examples / seconds).toPrecision(3)}/s)`
}

/** `1000 examples in 12 s (83.3/s), worst completeness 1.2e-6`. */
export function rateLine(
  { examples, seconds, worstCompleteness }: { examples: number; seconds: number; worstCompleteness: number },
  unit: string,
  { rule }: StreamOptions,
): string {
  // Where contributions do not promise to sum up, their residual says nothing about the numbers.
  const residual = sumsToDifference(resolveRule(rule).rule)
    ? `, worst completeness ${worstCompleteness.toExponential(1)}`
    : ''
  return `${rateText({ examples, seconds }, unit)}${residual}`
}
