/** `deeplift ism`: how targets change with every letter at every position, into files. */

import type { Command } from 'commander'
import type { DeepLift } from '../../model.js'
import type { MutagenesisOptions } from '../../mutagenesis.js'
import type { Precision } from '../../native.js'
import { parseCount, usageOf } from '../arguments.js'
import { type ExampleJob, exampleJob, type OutputArguments, outOf, runExamples } from '../example-job.js'
import { exampleFiles } from '../example-sources.js'
import { addPeelOption, addTargetOptions, type TargetArguments, targetChoices } from '../explanation.js'
import { addLongRun } from '../long-run.js'
import { channelAxisOf, loadModel } from '../model-options.js'
import type { Parameters } from '../parameters.js'
import { provenanceText } from '../provenance.js'
import { addArrayOptions, addExampleOptions } from '../score-arguments.js'
import { chooseMutagenesisFormat, createMutagenesisSink, MUTAGENESIS_FORMATS } from '../sinks/mutagenesis.js'
import { openSource } from '../source.js'
import { rateText } from '../summary.js'

export interface IsmArguments extends OutputArguments, TargetArguments {
  format?: string
  window?: string
  mutate?: string
  precision: string
  compress?: boolean
  batch?: string
}

export function addIsmOptions(command: Command): Command {
  addExampleOptions(command)
    .option('--uracil', 'read U as T')
    .option('--window <start:end>', 'positions that are changed, from 0, without the last (default: all)')
    .option('--mutate <input>', 'input whose letters are changed (default: the only one with letters)')
  addPeelOption(addTargetOptions(command))
  return addArrayOptions(command, MUTAGENESIS_FORMATS)
}

export function addIsmCommand(program: Command): void {
  const command = program
    .command('ism')
    .description('change every position to every letter, and write how the target changes')
    .argument('[model]', 'ONNX file')
  addIsmOptions(command)
  addLongRun(command, async (path, options: IsmArguments, parameters, signal) => {
    const job = await openIsmJob(path, options, parameters, signal)
    await runExamples(job, options, signal, rateText)
  })
}

/** The caller closes the job. */
export async function openIsmJob(
  path: string,
  options: IsmArguments,
  parameters: Parameters,
  signal: AbortSignal,
): Promise<ExampleJob> {
  const format = chooseMutagenesisFormat({ ...options, out: outOf('ism', options, 'effects') })
  const model = await loadModel(path, options)
  const choices = choicesOf(options, model)
  const { batchSize: _, ...mutated } = choices
  const { compress = false } = options
  const input = options.mutate ?? sequenceInput(options, model)
  const files = exampleFiles('ism', options, model.inputs)
  const source = await openSource({ command: 'ism', model, options, files, references: new Map(), signal })
  return exampleJob({
    ...{ command: 'ism', path, parameters, source },
    settings: choices,
    cost: (record) => model.mutagenesisCost(record, choices),
    batches: (records, _first, onProgress) =>
      model.mutagenesisStream(records, { ...choices, signal, onProgress }),
    createSink: async (out) => {
      const provenance = await provenanceText(path, { mutated, policies: source.policies })
      return createMutagenesisSink(format, { out, provenance, compress, input })
    },
  })
}

function choicesOf(options: IsmArguments, model: DeepLift): MutagenesisOptions {
  return {
    ...targetChoices(options, model.outputs),
    ...channelAxisOf(options),
    ...(options.mutate !== undefined && { input: options.mutate }),
    ...(options.window !== undefined && { window: parseWindow(options.window) }),
    precision: options.precision as Precision,
    ...(options.batch !== undefined && { batchSize: parseCount(options.batch, '--batch', 1) }),
  }
}

function parseWindow(text: string): [number, number] {
  const [start, end, ...more] = text.split(':')
  if (end === undefined || more.length > 0)
    throw usageOf('ism', `--window: expected START:END, found "${text}".`)
  return [parseCount(start!, '--window', 0), parseCount(end, '--window', 1)]
}

/** The input that letters are read for, or else the only one. */
function sequenceInput({ fasta, bed }: IsmArguments, { inputs }: DeepLift): string {
  const text = fasta ?? bed ?? ''
  return (inputs.find(({ name }) => text.startsWith(`${name}=`)) ?? inputs[0]!).name
}
