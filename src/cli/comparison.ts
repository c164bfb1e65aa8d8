/** Options of commands that compare sequences: what is read from the outputs, and contributions on request. */

import type { Command } from 'commander'
import { planReadouts, type ReadoutPlan } from '../effects/readout.js'
import { NpyFile } from '../io/npy-read.js'
import type { DeepLift } from '../model.js'
import type { OutputName, PlanChoices } from '../options/score-options.js'
import type { SingleTarget } from '../options/target.js'
import type { DinucleotideShuffle, InputReferences } from '../references.js'
import { parseCount, usageOf } from './arguments.js'
import { referenceArguments } from './example-sources.js'
import {
  addReverseTargetOption,
  addRuleOptions,
  addTargetOptions,
  type ExplanationArguments,
  explanation,
} from './explanation.js'
import { addModelOptions, collect, type ModelArguments } from './model-options.js'
import { fileReferences } from './npy-rows.js'
import { addReferenceOptions } from './score-arguments.js'
import { chooseFormat, type Format, outputsOf } from './sinks/formats.js'
import { parseHead, parseTarget, targetNames } from './targets.js'

export interface ComparisonArguments extends ModelArguments, ExplanationArguments {
  input?: string[]
  forwardOnly?: boolean
  contributions?: boolean
  reference?: string[]
  seed: string
  unknown: string
  format?: string
  hypothetical?: boolean
  compress?: boolean
  float16?: boolean
  batch?: string
}

/** Formats of scores of sequences that lie nowhere on a genome. */
const FORMATS: readonly Format[] = ['npz', 'npy', 'modisco', 'chrombpnet']

export function addComparisonOptions(command: Command): Command {
  command.option(
    '--input <name=values>',
    'values of an input beside the sequences, for all of them alike: FILE.npy with one example, or zeros',
    collect,
  )
  addReverseTargetOption(addTargetOptions(command))
    .option('--forward-only', 'predict the forward strand alone (default: the mean of both strands)')
    .option('--contributions', 'also score the sequences, with the options that follow')
  addReferenceOptions(command)
    .option('--format <format>', `of contributions: ${FORMATS.join(', ')} (default: npz)`)
    .option('--hypothetical', 'also write hypothetical contributions')
    .option('--compress', 'deflate .npz and HDF5 files: smaller, slower to write, the same numbers')
    .option('--float16', 'store scores in half precision, three decimal digits, in half the space')
  addRuleOptions(command).option('--batch <n>', 'sequences per native call; has no effect on any number')
  return addModelOptions(command)
}

/** What is read from the outputs of the model: its targets, each named as it was written. */
export function readoutPlan(options: ComparisonArguments, { outputs }: DeepLift): ReadoutPlan {
  const bothStrands = options.forwardOnly !== true
  const { target = [], head = [], reverseTarget } = options
  const targets: { label: string; target: SingleTarget }[] = [
    ...target.map((label) => ({ label, target: parseTarget(label, outputs) })),
    ...head.map((label) => ({ label, target: parseHead(label) })),
  ]
  // The only value of the only output.
  if (targets.length === 0) targets.push({ label: outputs[0]!.name, target: {} })
  if (reverseTarget && reverseTarget.length !== targets.length)
    throw usageOf(
      '--reverse-target',
      `expected ${targets.length}, one for each target; found ${reverseTarget.length}.`,
    )
  const reverse = reverseTarget?.map((text) => parseTarget(text, outputs))
  const requests = targets.map((each, index) => ({ ...each, ...(reverse && { reverse: reverse[index]! }) }))
  return planReadouts(requests, outputs, bothStrands)
}

export interface ContributionPlan {
  choices: PlanChoices
  format: Format
  /** By input; that of the sequences is `'record'` where {@link shuffle} makes them. */
  references: Record<string, InputReferences>
  /** Shuffles of one sequence that several are compared with. */
  shuffle: DinucleotideShuffle | undefined
  /** Names of several targets, for formats with a file each. */
  targets: readonly string[]
}

/** How sequences are scored, if they are. */
export async function contributionPlan(
  command: string,
  options: ComparisonArguments,
  model: DeepLift,
  input: string,
): Promise<ContributionPlan | undefined> {
  if (!options.contributions) {
    const given = (['reference', 'rule', 'layer', 'format', 'hypothetical'] as const).find(
      (name) => options[name],
    )
    if (given) throw usageOf(command, `--${given} belongs to scores: add --contributions.`)
    return undefined
  }
  const format = chooseFormat(options)
  if (!FORMATS.includes(format))
    throw usageOf(command, `--format ${format} holds regions of a genome; use ${FORMATS.join(', ')}.`)
  const strands = { ...options, reverseComplement: options.forwardOnly !== true }
  const outputs = new Set<OutputName>(['contributions', ...outputsOf(format)])
  if (options.hypothetical) outputs.add('hypothetical')
  const choices = { ...explanation(strands, model.outputs), outputs: [...outputs] }
  const names = model.inputs.map(({ name }) => name)
  const refuse = (message: string) => usageOf(command, message)
  const references: Record<string, InputReferences> = {}
  let shuffle: DinucleotideShuffle | undefined
  for (const [name, argument] of referenceArguments(options, choices, names, refuse)) {
    if (typeof argument === 'object' && 'kind' in argument && name === input) {
      shuffle = argument
      references[name] = 'record'
    } else if (typeof argument === 'object' && 'file' in argument)
      references[name] = await sharedReferences(command, model, name, argument.file)
    else references[name] = argument
  }
  return { choices, format, references, shuffle, targets: targetNames(options) }
}

async function sharedReferences(
  command: string,
  { inputs }: DeepLift,
  name: string,
  path: string,
): Promise<InputReferences> {
  const file = await NpyFile.open(path)
  try {
    const found = await fileReferences(inputs.find((each) => each.name === name)!, file, undefined)
    if ('tensor' in found) return { shared: found.tensor }
    throw usageOf(
      command,
      `${path}: references are the same for all sequences; the file has some for each of several.`,
    )
  } finally {
    await file.close()
  }
}

export function batchOf({ batch }: ComparisonArguments): { batchSize?: number } {
  return batch === undefined ? {} : { batchSize: parseCount(batch, '--batch', 1) }
}

/** The files that the options name for inputs and references. */
export function comparisonFiles({ input = [], reference = [] }: ComparisonArguments): string[] {
  const references = reference.flatMap((text) => /(?:^|=)file:(.*)$/s.exec(text)?.[1] ?? [])
  const inputs = input
    .filter((text) => !text.endsWith('=zeros'))
    .map((text) => text.slice(text.indexOf('=') + 1))
  return [...inputs, ...references]
}
