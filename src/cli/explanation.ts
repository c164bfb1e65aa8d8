/** Options that say what is explained and how: those of `score` and of `inspect --plan`. */

import type { Command } from 'commander'
import { HEADS, PROFILE_WEIGHTS } from '../options/head.js'
import { RULES } from '../options/rule.js'
import type { PlanChoices } from '../options/score-options.js'
import type { SingleTarget, Target } from '../options/target.js'
import type { TensorInfo } from '../options/tensor-info.js'
import { VARIANTS, type Variants } from '../options/variants.js'
import { parseCount, parseRule } from './arguments.js'
import { collect } from './model-options.js'
import { parseHead, parseTarget } from './targets.js'

/** What is looked at. */
export interface TargetArguments {
  target?: string[]
  head?: string[]
  peel: boolean
}

export interface ExplanationArguments extends TargetArguments {
  layer?: string[]
  rule?: string
  override?: string[]
  maxPool?: string
  binaryMax?: string
  softmax?: string
  nearZero?: string
  reverseComplement?: boolean
  reverseTarget?: string[]
  meanNormalised?: boolean
  channelAxis?: string
}

/** Options that say which values are meant. */
export function addTargetOptions(command: Command): Command {
  return command
    .option(
      '--target <[output:]index>',
      "value to explain, such as 3, logits:3, profile:0,57, 'profile:*,100..200' (summed), logits:3-1 or logits:3-mean; " +
        'repeat for several',
      collect,
    )
    .option(
      '--head <[output=]head>',
      `${HEADS.join(' or ')}[:WEIGHTS], chosen by the shapes of outputs; weights are ${PROFILE_WEIGHTS.join(', ')} ` +
        '(default: mean); repeat for several',
      collect,
    )
}

export function addPeelOption(command: Command): Command {
  return command.option(
    '--no-peel',
    'explain probabilities as they are, not the logits before a final Sigmoid or Softmax',
  )
}

/** Options that say how they are explained. */
export function addRuleOptions(command: Command): Command {
  const choices = (name: keyof Variants) => {
    const [first, ...others] = VARIANTS[name]
    return `${[first, ...others].join(', ')} (default: ${first})`
  }
  return addPeelOption(command)
    .option(
      '--layer <tensor>',
      'score this tensor inside the model instead of the inputs; repeat for several',
      collect,
    )
    .option('--rule <rule>', `${RULES.join(', ')}[:STEPS] (default: rescale)`)
    .option(
      '--override <node=rule>',
      'another rule for the nodes of this name; * matches any characters',
      collect,
    )
    .option('--max-pool <how>', choices('maxPool'))
    .option('--binary-max <how>', `maximum of two tensors: ${choices('binaryMax')}`)
    .option('--softmax <how>', choices('softmax'))
    .option('--near-zero <how>', `small differences: ${choices('nearZero')}`)
    .option('--mean-normalised', 'subtract from the weights of the first layer their mean over letters')
}

export function addReverseTargetOption(command: Command): Command {
  return command.option(
    '--reverse-target <[output:]index>',
    'what a target is on the reverse complement, where it belongs to a strand or a position; one for each target',
    collect,
  )
}

export function addExplanationOptions(command: Command): Command {
  addRuleOptions(addTargetOptions(command)).option(
    '--reverse-complement',
    'average with the scores of the reverse complement',
  )
  return addReverseTargetOption(command)
}

export function targetChoices(
  options: TargetArguments,
  outputs: readonly TensorInfo[],
): Pick<PlanChoices, 'target' | 'peel'> {
  const targets: SingleTarget[] = [
    ...(options.target ?? []).map((text) => parseTarget(text, outputs)),
    ...(options.head ?? []).map(parseHead),
  ]
  return {
    ...(targets.length > 0 && { target: oneOrSeveral(targets) }),
    ...(!options.peel && { peel: false }),
  }
}

export function explanation(options: ExplanationArguments, outputs: readonly TensorInfo[]): PlanChoices {
  const reverse = options.reverseTarget?.map((text) => parseTarget(text, outputs))
  const rule = parseRule(options.rule, options.override ?? [])
  const { maxPool, binaryMax, softmax, nearZero } = options
  const variants = Object.fromEntries(
    Object.entries({ maxPool, binaryMax, softmax, nearZero }).filter(([, value]) => value !== undefined),
  ) as Variants
  return {
    ...targetChoices(options, outputs),
    ...(options.layer && { layers: options.layer }),
    ...(rule !== undefined && { rule }),
    ...(Object.keys(variants).length > 0 && { variants }),
    ...(reverse ? { reverseComplement: { target: oneOrSeveral(reverse) } } : {}),
    ...(options.reverseComplement && !reverse && { reverseComplement: true }),
    ...(options.meanNormalised && { meanNormalised: true }),
    ...(options.channelAxis !== undefined && {
      channelAxis: parseCount(options.channelAxis, '--channel-axis', 1),
    }),
  }
}

function oneOrSeveral(targets: readonly SingleTarget[]): Target {
  return targets.length === 1 ? targets[0]! : targets
}
