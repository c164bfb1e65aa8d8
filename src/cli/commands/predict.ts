/** `deeplift predict`: the outputs of a model for sequences, regions or arrays, into files. */

import type { Command } from 'commander'
import { PRECISIONS, type Precision } from '../../native.js'
import type { PredictStreamOptions } from '../../predict.js'
import { parseCount } from '../arguments.js'
import { addLongRun } from '../long-run.js'
import { addModelOptions, collect, loadModel } from '../model-options.js'
import type { Parameters } from '../parameters.js'
import { addExampleOptions } from '../score-arguments.js'
import { choosePredictionFormat, createPredictionSink, PREDICTION_FORMATS } from '../sinks/predictions.js'
import { type OutputArguments, outOf, runStreamCommand } from '../stream-command.js'
import { channelAxisOf } from '../streamed.js'

interface Arguments extends OutputArguments {
  format?: string
  output?: string[]
  precision: string
  compress?: boolean
  batch?: string
}

export function addPredictCommand(program: Command): void {
  const command = program
    .command('predict')
    .description('compute the outputs of a model, without scores, and write them to a file')
    .argument('[model]', 'ONNX file')
  addExampleOptions(command)
    .option('--uracil', 'read U as T')
    .option(
      '--output <name>',
      'output of the model, or a tensor inside it; repeat for several (default: all)',
      collect,
    )
    .option('--out <file>', 'file to write')
    .option('--format <format>', `${PREDICTION_FORMATS.join(', ')} (default: from the name of --out, or npz)`)
    .option('--precision <type>', PRECISIONS.join(', '), 'float32')
    .option('--compress', 'deflate .npz files: smaller, slower to write, the same numbers')
    .option('--batch <n>', 'examples per native call; has no effect on any number')
  addModelOptions(command)
  addLongRun(command, predict)
}

async function predict(
  path: string,
  options: Arguments,
  parameters: Parameters,
  signal: AbortSignal,
): Promise<void> {
  const out = outOf('predict', options, 'outputs')
  const format = choosePredictionFormat({ ...options, out })
  const model = await loadModel(path, options)
  const choices: PredictStreamOptions = {
    ...channelAxisOf(options),
    ...(options.output && { outputs: options.output }),
    precision: options.precision as Precision,
    ...(options.batch !== undefined && { batchSize: parseCount(options.batch, '--batch', 1) }),
  }
  const { batchSize: _, ...predicted } = choices
  const { compress = false } = options
  await runStreamCommand({
    ...{ name: 'predict', path, model, options, parameters, signal },
    facts: { predicted },
    settings: choices,
    batches: (records, onProgress) => model.predictStream(records, { ...choices, signal, onProgress }),
    createSink: (to, provenance) => createPredictionSink(format, { out: to, provenance, compress }),
  })
}
