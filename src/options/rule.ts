/** Rules: how multipliers pass a non-linear operation. */

import { checkChoice, checkKeys, checkWholeNumber, invalidOption, show } from './check.js'

/** Rules that one node can have; each is described at {@link RuleName}. */
export const NODE_RULES = [
  'rescale',
  'reveal-cancel',
  'genomics-default',
  'gradient',
  'guided-backprop',
  'guided-backprop-rescale',
  'deconvnet',
] as const

export const RULES = [...NODE_RULES, 'integrated-gradients'] as const

/**
 * Contributions sum to the difference of the target:
 * - `rescale`: difference of output over difference of input
 * - `reveal-cancel`: positive and negative parts of the difference apart, averaged over both orders of adding them
 * - `genomics-default`: `rescale` after convolutions, `reveal-cancel` after dense layers
 * - `integrated-gradients`: gradients at points between reference and input, averaged; the sum is approximate
 *
 * They do not:
 * - `gradient`: derivatives at the input
 * - `guided-backprop`: derivatives at the input, and only multipliers above 0 pass
 * - `guided-backprop-rescale`: as `rescale`, and only multipliers above 0 pass
 * - `deconvnet`: the non-linear function is applied to the multiplier itself
 */
export type RuleName = (typeof RULES)[number]

/** `integrated-gradients` needs whole passes, so it is a rule for the network, not for single nodes. */
export type NodeRuleName = (typeof NODE_RULES)[number]

/** One rule, or one with its settings and with exceptions for nodes by name. */
export type Rule =
  | RuleName
  | {
      /** Default `'rescale'`. */
      default?: RuleName
      /** Points of `integrated-gradients`, each in the middle of its interval. Default 50. */
      steps?: number
      /** Rules of nodes by name; `*` and `?` in a name match any characters, any one. */
      overrides?: Readonly<Record<string, NodeRuleName>>
    }

export interface ResolvedRule {
  rule: RuleName
  /** Of `integrated-gradients`. */
  steps: number | undefined
  overrides: { node: string; rule: NodeRuleName }[]
}

const DEFAULT_RULE: RuleName = 'rescale'
const DEFAULT_STEPS = 50

export function resolveRule(rule: Rule = {}): ResolvedRule {
  if (typeof rule !== 'object' || rule === null)
    return resolveRule({ default: checkChoice(rule, RULES, 'rule') })
  checkKeys(rule, ['default', 'steps', 'overrides'], 'rule')
  const { default: name = DEFAULT_RULE, steps, overrides = {} } = rule
  checkChoice(name, RULES, 'rule: default')
  if (typeof overrides !== 'object' || overrides === null)
    throw invalidOption(`rule: overrides: expected an object of node name to rule, found ${show(overrides)}.`)
  const exceptions = Object.entries(overrides)
  if (name !== 'integrated-gradients') {
    if (steps !== undefined)
      throw invalidOption(`rule: steps belong to 'integrated-gradients'; the rule here is '${name}'.`)
  } else if (exceptions.length > 0)
    throw invalidOption(
      "rule: 'integrated-gradients' takes no overrides: it averages gradients of the whole network.",
    )
  return {
    rule: name,
    steps:
      name === 'integrated-gradients'
        ? checkWholeNumber(steps ?? DEFAULT_STEPS, 1, 'rule: steps')
        : undefined,
    overrides: exceptions.map(([node, each]) => ({
      node,
      rule: checkChoice(each, NODE_RULES, `rule: overrides[${JSON.stringify(node)}]`),
    })),
  }
}

/** Rules whose multipliers mean something times the input itself: gradient × input and its kin. */
export const TIMES_INPUT: readonly RuleName[] = [
  'gradient',
  'guided-backprop',
  'guided-backprop-rescale',
  'deconvnet',
]

/** Rules that look at the input alone: their multipliers are the same for any reference. */
export const WITHOUT_REFERENCE: readonly RuleName[] = ['gradient', 'guided-backprop', 'deconvnet']

/** Whether contributions sum to the difference of the target, exactly or nearly. */
export function sumsToDifference(rule: RuleName): boolean {
  return !TIMES_INPUT.includes(rule)
}
