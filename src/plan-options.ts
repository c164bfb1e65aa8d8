/** The options of a native plan, from resolved choices; heads are found by the shapes that outputs have. */

import { DeepLiftError } from './errors.js'
import type { JobInput } from './job.js'
import type { PlanOptions } from './native.js'
import type { SizedOutput } from './options/head.js'
import type { ResolvedChoices } from './options/score-options.js'
import { settleTargets } from './options/target.js'
import { type PlanCache, planFacts } from './plan.js'

export interface PlanSettings {
  /** Names of the outputs of the model. */
  outputs: readonly string[]
  /** Bytes per thread. */
  memory: number
  /** Whether the plan is for `trace`. */
  trace: boolean
}

export async function planOptions(
  plans: PlanCache,
  choices: ResolvedChoices,
  inputs: readonly JobInput[],
  settings: PlanSettings,
): Promise<PlanOptions> {
  const { rule, steps, overrides, peel, layers, variants, multiplyBy, outputs, precision } = choices
  const base: Omit<PlanOptions, 'targets'> = {
    inputs: inputs.map(({ layout, encoding }) => ({
      name: layout.name,
      shape: [...layout.shape],
      encoding,
    })),
    channelAxis: inputs.map(({ layout }) => layout.channelAxis ?? null),
    peel,
    layers,
    rule,
    ...(steps !== undefined && { steps }),
    overrides,
    variants,
    multiplyBy,
    precision,
    references: inputs.map(({ reference }) => reference.native),
    outputs,
    memory: settings.memory,
    ...(choices.meanNormalised && { meanNormalised: true }),
    ...(settings.trace && { trace: true }),
  }
  const shapes = () => outputShapes(plans, base, settings.outputs)
  const targets = await settleTargets(choices.targets, shapes)
  const reverse = choices.reverseTargets && (await settleTargets(choices.reverseTargets, shapes))
  return { ...base, targets, ...(reverse && { reverseComplement: { targets: reverse } }) }
}

/** Shapes of outputs as these inputs make them; one that cannot be explained stays unknown. */
async function outputShapes(
  plans: PlanCache,
  { inputs, channelAxis, precision, outputs, memory }: Omit<PlanOptions, 'targets'>,
  names: readonly string[],
): Promise<SizedOutput[]> {
  const sized: SizedOutput[] = []
  for (const name of names) {
    const probe: PlanOptions = {
      inputs,
      ...(channelAxis && { channelAxis }),
      targets: [{ tensor: name, index: 0 }],
      peel: false,
      layers: [],
      rule: 'rescale',
      variants: {},
      precision,
      references: inputs.map(() => ({ kind: 'zeros' })),
      outputs,
      memory,
    }
    try {
      const none = inputs.map(() => undefined)
      const plan = await plans.get(probe, none)
      const [target] = planFacts(plan).targets
      sized.push({ name, shape: target!.shape })
    } catch (error) {
      if (!(error instanceof DeepLiftError) || error.code !== 'UNSUPPORTED_OP') throw error
      sized.push({ name, shape: undefined })
    }
  }
  return sized
}
