/** `deeplift predict`: the outputs of a model for sequences, regions or arrays, into files. */

import type { Command } from 'commander'
import type { Precision } from '../../native.js'
import type { PredictStreamOptions } from '../../predict.js'
import { parseCount } from '../arguments.js'
import { type ExampleJob, exampleJob, type OutputArguments, outOf, runExamples } from '../example-job.js'
import { exampleFiles } from '../example-sources.js'
import { addLongRun } from '../long-run.js'
import { channelAxisOf, collect, loadModel } from '../model-options.js'
import type { Parameters } from '../parameters.js'
import { provenanceText } from '../provenance.js'
import { addArrayOptions, addExampleOptions } from '../score-arguments.js'
import { choosePredictionFormat, createPredictionSink, PREDICTION_FORMATS } from '../sinks/predictions.js'
import { openSource } from '../source.js'
import { rateText } from '../summary.js'

export interface PredictArguments extends OutputArguments {
  format?: string
  output?: string[]
  precision: string
  compress?: boolean
  batch?: string
}

export function addPredictOptions(command: Command): Command {
  addExampleOptions(command)
    .option('--uracil', 'read U as T')
    .option(
      '--output <name>',
      'output of the model, or a tensor inside it; repeat for several (default: all)',
      collect,
    )
  return addArrayOptions(command, PREDICTION_FORMATS)
}

export function addPredictCommand(program: Command): void {
  const command = program
    .command('predict')
    .description('compute the outputs of a model, without scores, and write them to a file')
    .argument('[model]', 'ONNX file')
  addPredictOptions(command)
  addLongRun(command, async (path, options: PredictArguments, parameters, signal) => {
    const job = await openPredictJob(path, options, parameters, signal)
    await runExamples(job, options, signal, rateText)
  })
}

/** The caller closes the job. */
export async function openPredictJob(
  path: string,
  options: PredictArguments,
  parameters: Parameters,
  signal: AbortSignal,
): Promise<ExampleJob> {
  const format = choosePredictionFormat({ ...options, out: outOf('predict', options, 'outputs') })
  const model = await loadModel(path, options)
  const choices: PredictStreamOptions = {
    ...channelAxisOf(options),
    ...(options.output && { outputs: options.output }),
    precision: options.precision as Precision,
    ...(options.batch !== undefined && { batchSize: parseCount(options.batch, '--batch', 1) }),
  }
  const { batchSize: _, ...predicted } = choices
  const { compress = false } = options
  const files = exampleFiles('predict', options, model.inputs)
  const source = await openSource({
    command: 'predict',
    model,
    options,
    files,
    references: new Map(),
    signal,
  })
  return exampleJob({
    ...{ command: 'predict', path, parameters, source },
    settings: choices,
    cost: (record) => model.predictionCost(record, choices),
    batches: (records, _first, onProgress) =>
      model.predictStream(records, { ...choices, signal, onProgress }),
    createSink: async (out) => {
      const provenance = await provenanceText(path, { predicted, policies: source.policies })
      return createPredictionSink(format, { out, provenance, compress })
    },
  })
}
