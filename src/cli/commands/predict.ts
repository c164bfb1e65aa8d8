/** `deeplift predict`: the outputs of a model for sequences, regions or arrays, into files. */

import type { Command } from 'commander'
import { DeepLiftError } from '../../errors.js'
import { PRECISIONS, type Precision } from '../../native.js'
import type { PredictStreamOptions } from '../../predict.js'
import { parseCount, usageOf } from '../arguments.js'
import { createReporter } from '../console.js'
import { interruption } from '../interruption.js'
import { addModelOptions, collect, loadModel } from '../model-options.js'
import { applyParameters, effectiveParameters, type Parameters, writeJson } from '../parameters.js'
import { type ProgressArguments, ProgressLine, progressOption } from '../progress-line.js'
import { provenanceText } from '../provenance.js'
import { prefixOf } from '../results.js'
import { addExampleOptions } from '../score-arguments.js'
import { choosePredictionFormat, createPredictionSink, PREDICTION_FORMATS } from '../sinks/predictions.js'
import { RegionsSink } from '../sinks/regions.js'
import { type Sink, SinkGroup } from '../sinks/sink.js'
import { channelAxisOf, openStreamed, reportDropped, type StreamArguments } from '../streamed.js'
import { rateText } from '../summary.js'

interface Arguments extends StreamArguments, ProgressArguments {
  out?: string
  format?: string
  output?: string[]
  precision: string
  compress?: boolean
  batch?: string
  json?: boolean
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
    .addOption(progressOption())
    .option('--quiet', 'no progress')
    .option('--json', 'print the summary as JSON')
    .action(async (argument: string | undefined) => {
      const model = await applyParameters(command, argument)
      const options = command.opts<Arguments>()
      const interrupt = interruption()
      try {
        await predict(model, options, effectiveParameters(command, model), interrupt.signal)
      } finally {
        interrupt.end()
      }
    })
}

async function predict(
  path: string,
  options: Arguments,
  parameters: Parameters,
  signal: AbortSignal,
): Promise<void> {
  const reporter = createReporter(options.json === true)
  const { out, compress = false } = options
  if (out === undefined) throw usageOf('predict', 'say where the outputs go: --out FILE.')
  const format = choosePredictionFormat({ ...options, out })
  const model = await loadModel(path, options)
  const choices = choicesOf(options)
  const examples = await openStreamed('predict', model, options, signal)
  try {
    const { regions, policies } = examples
    if (regions) reportDropped(regions, reporter)
    const { batchSize: _, ...predicted } = choices
    const provenance = await provenanceText(path, { predicted, policies })
    const table = createPredictionSink(format, { out, provenance, compress })
    const prefix = prefixOf(out)
    const sink = regions ? new SinkGroup([table, new RegionsSink(`${prefix}.regions.bed`)]) : table
    const unit = regions ? 'regions' : 'examples'
    const line = new ProgressLine(unit, options)
    examples.total.then((total) => {
      line.total = total
    })
    const started = performance.now()
    try {
      const onProgress = line.update.bind(line)
      const batches = model.predictStream(examples.records, { ...choices, signal, onProgress })
      const done = await writeAll(batches, sink, line)
      const seconds = (performance.now() - started) / 1000
      await writeJson(`${prefix}.params.json`, parameters)
      const data = {
        examples: done,
        seconds,
        examplesPerSecond: done / seconds,
        regions: regions && { rows: regions.rows, kept: regions.kept },
        settings: { model: path, ...choices },
        files: sink.paths,
        parameters: `${prefix}.params.json`,
      }
      reporter.result(() => `${rateText(data, unit)}: ${sink.paths.join(', ')}`, data)
    } catch (error) {
      await sink.abort()
      throw error
    }
  } finally {
    await examples.close()
  }
}

async function writeAll<B extends { records: readonly unknown[] }>(
  batches: AsyncIterable<B>,
  sink: Sink<B>,
  line: ProgressLine,
): Promise<number> {
  let done = 0
  try {
    for await (const batch of batches) {
      await sink.write(batch)
      done += batch.records.length
    }
  } finally {
    line.end()
  }
  if (done === 0) throw new DeepLiftError('INVALID_INPUT', 'There are no examples.')
  await sink.finish()
  return done
}

function choicesOf(options: Arguments): PredictStreamOptions {
  return {
    ...channelAxisOf(options),
    ...(options.output && { outputs: options.output }),
    precision: options.precision as Precision,
    ...(options.batch !== undefined && { batchSize: parseCount(options.batch, '--batch', 1) }),
  }
}
