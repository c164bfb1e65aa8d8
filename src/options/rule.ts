/** Rules: how multipliers pass a non-linear operation. */

import { checkChoice, checkKeys, invalidOption, show } from './check.js'

export const RULES = ['rescale', 'reveal-cancel', 'genomics-default', 'gradient'] as const

/**
 * - `rescale`: difference of output over difference of input
 * - `reveal-cancel`: positive and negative parts of the difference apart, averaged over both orders of adding them
 * - `genomics-default`: `rescale` after convolutions, `reveal-cancel` after dense layers
 * - `gradient`: derivatives at the input; contributions do not sum to the difference of the output
 */
export type RuleName = (typeof RULES)[number]

/** One rule, or one with exceptions for nodes by name; `*` and `?` in a name match any characters, any one. */
export type Rule = RuleName | { default?: RuleName; overrides: Readonly<Record<string, RuleName>> }

export interface ResolvedRule {
  rule: RuleName
  overrides: { node: string; rule: RuleName }[]
}

const DEFAULT_RULE: RuleName = 'rescale'

export function resolveRule(rule: Rule | undefined): ResolvedRule {
  if (rule === undefined) return { rule: DEFAULT_RULE, overrides: [] }
  if (typeof rule !== 'object') return { rule: checkChoice(rule, RULES, 'rule'), overrides: [] }
  checkKeys(rule, ['default', 'overrides'], 'rule')
  const { default: name = DEFAULT_RULE, overrides } = rule
  if (typeof overrides !== 'object' || overrides === null)
    throw invalidOption(`rule: overrides: expected an object of node name to rule, found ${show(overrides)}.`)
  return {
    rule: checkChoice(name, RULES, 'rule: default'),
    overrides: Object.entries(overrides).map(([node, each]) => ({
      node,
      rule: checkChoice(each, RULES, `rule: overrides[${JSON.stringify(node)}]`),
    })),
  }
}
