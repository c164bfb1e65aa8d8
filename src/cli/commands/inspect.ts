/** `deeplift inspect`: what a model takes and gives, what can be explained, and how it would be. */

import type { Command } from 'commander'
import { DeepLiftError } from '../../errors.js'
import type { DeepLift } from '../../model.js'
import type { DescribeOptions } from '../../options/score-options.js'
import type { TensorInfo } from '../../options/tensor-info.js'
import type { PassWork, PlanDescription, TotalWork } from '../../plan.js'
import { showShape } from '../../tensor.js'
import { parseCount } from '../arguments.js'
import { createReporter, table, withPrefix } from '../console.js'
import { addExplanationOptions, type ExplanationArguments, explanation } from '../explanation.js'
import { addModelOptions, collect, loadModel, type ModelArguments } from '../model-options.js'

interface Arguments extends ModelArguments, ExplanationArguments {
  plan?: boolean
  shape?: string[]
  json?: boolean
}

/** Whether one output can be explained, and if not, why. */
interface OutputVerdict extends TensorInfo {
  explainable: boolean
  reason?: string
}

export function addInspectCommand(program: Command): void {
  const command = program
    .command('inspect')
    .description('show inputs, outputs, operators, and what can be explained')
    .argument('<model>', 'ONNX file')
    .option('--plan', 'show every step with its rule and arithmetic')
    .option('--shape <name=4,1000>', 'shape of one example, where the file leaves axes open', collect)
    .option('--json', 'print JSON')
  addModelOptions(addExplanationOptions(command)).action(async (path: string, options: Arguments) => {
    await inspect(path, options)
  })
}

async function inspect(path: string, options: Arguments): Promise<void> {
  const reporter = createReporter(options.json === true)
  const model = await loadModel(path, options)
  const { target, ...describe } = describeOptions(options, model)
  const outputs = await Promise.all(model.outputs.map((output) => judge(output, model, describe.shapes)))
  // What was asked for explicitly is an error if it fails; the default plan is shown only if there is one.
  const asked = options.plan || target !== undefined
  const first = outputs.find(({ explainable }) => explainable)
  const plan =
    asked || first
      ? await model.describe({
          ...describe,
          target: target ?? { output: (first ?? outputs[0]!).name, index: 0 },
        })
      : undefined
  const { inputs, info } = model
  reporter.result(() => asText(model, outputs, plan, options.plan === true), {
    ...info,
    inputs,
    outputs,
    plan,
  })
  for (const warning of plan?.warnings ?? []) reporter.warn(warning)
}

function describeOptions(options: Arguments, model: DeepLift): DescribeOptions {
  const shapes = Object.fromEntries((options.shape ?? []).map((text) => parseShape(text, model)))
  return { ...explanation(options, model.outputs), shapes }
}

function parseShape(text: string, { inputs }: DeepLift): [string, number[]] {
  const at = text.lastIndexOf('=')
  const name = at < 0 ? inputs[0]!.name : text.slice(0, at)
  const shape = text.slice(at + 1).split(',')
  return [name, shape.map((extent) => parseCount(extent, '--shape', 1))]
}

async function judge(
  output: TensorInfo,
  model: DeepLift,
  shapes: DescribeOptions['shapes'],
): Promise<OutputVerdict> {
  try {
    await model.describe({ ...(shapes && { shapes }), target: { output: output.name, index: 0 } })
    return { ...output, explainable: true }
  } catch (error) {
    if (!(error instanceof DeepLiftError) || error.code === 'INTERNAL') throw error
    return { ...output, explainable: false, reason: error.message.replace(`${model.info.source}: `, '') }
  }
}

function asText(
  { info, inputs }: DeepLift,
  outputs: readonly OutputVerdict[],
  plan: PlanDescription | undefined,
  steps: boolean,
): string {
  const ops = Object.entries(info.ops)
    .sort(([, a], [, b]) => b - a)
    .map(([op, count]) => (count === 1 ? op : `${op} ×${count}`))
  const lines = [
    `${info.source}: opset ${info.opset}, ${info.nodes} nodes, ${withPrefix(info.parameters, '')} parameters`,
    ...inputs.map((input) => `input   ${signature(input)}`),
    ...outputs.map(
      (output) =>
        `output  ${signature(output)}${output.explainable ? '' : `  cannot be explained: ${output.reason}`}`,
    ),
    `ops     ${ops.join(', ')}`,
  ]
  if (plan)
    lines.push(
      `plan    rule ${plan.rule}, ${plan.precision}, ${plan.isa}${plan.bf16Unit ? `, bf16 on ${plan.bf16Unit}` : ''}; ${withPrefix(plan.flopsPerPass, 'FLOP')} per pass, ` +
        `${withPrefix(plan.memoryPerThread, 'B')} per thread, ${withPrefix(plan.weightBytes, 'B')} of packed weights` +
        `${plan.completeRule ? '' : '; contributions of this rule do not sum to the difference of the target'}`,
    )
  if (plan && steps) lines.push(...planTotals(plan), '', planTable(plan))
  return lines.join('\n')
}

function signature({ name, dtype, shape }: TensorInfo): string {
  return `${name}  ${dtype} ${shape ? showShape(shape) : 'of unknown shape'}`
}

function planTable({ steps }: PlanDescription): string {
  const rows = steps.map((step) => [
    step.node,
    step.op,
    step.structure,
    step.rule,
    showShape(step.shape),
    step.forward.kernel,
    withPrefix(step.forward.flops, 'FLOP'),
    withPrefix(bytesOf(step.forward, step.record), 'B'),
    step.adjoint?.kernel ?? '',
    step.adjoint ? withPrefix(step.adjoint.flops, 'FLOP') : '',
    step.adjoint ? withPrefix(bytesOf(step.adjoint), 'B') : '',
  ])
  const head = ['node', 'op', 'structure', 'rule', 'shape', 'forward', 'work', 'traffic']
  return table([[...head, 'multipliers', 'work', 'traffic'], ...rows], [6, 7, 9, 10])
}

/** Bytes that one pair reads and writes. */
function bytesOf(...passes: readonly (PassWork | null)[]): number {
  return passes.reduce(
    (sum, pass) =>
      pass ? sum + pass.valueBytes + pass.recordBytes + pass.weightBytes / pass.pairsPerReading : sum,
    0,
  )
}

function planTotals(plan: PlanDescription): string[] {
  const work = ({ flops, denseFlops, bytes }: TotalWork) =>
    `${withPrefix(flops, 'FLOP')} (${withPrefix(denseFlops, 'FLOP')} if dense), ${withPrefix(bytes, 'B')} of traffic`
  const { buffers, pairsPerPass } = plan
  const held = Object.entries(buffers).filter(([, { count }]) => count > 0)
  return [
    `example ${work(plan.workPerExample)}, ${withPrefix(plan.memoryPerExample, 'B')} of memory`,
    `pair    ${work(plan.workPerPair)}, ${withPrefix(plan.memoryPerPair, 'B')} of memory; ` +
      `${pairsPerPass} per pass${plan.constantReferences ? '; references are run once for all examples' : ''}`,
    `buffers ${held.map(([name, { count, bytes }]) => `${name} ${count} × ${withPrefix(bytes / count, 'B')}`).join(', ')}`,
  ]
}
