/** What commands share that stream examples into a file: progress, provenance, parameters and the summary. */

import { DeepLiftError } from '../errors.js'
import type { DeepLift } from '../model.js'
import type { RunProgress } from '../progress.js'
import { usageOf } from './arguments.js'
import { createReporter } from './console.js'
import { type Parameters, writeJson } from './parameters.js'
import { type ProgressArguments, ProgressLine } from './progress-line.js'
import { provenanceText } from './provenance.js'
import { prefixOf } from './results.js'
import { RegionsSink } from './sinks/regions.js'
import { type ScoredRecord, type Sink, SinkGroup } from './sinks/sink.js'
import { openStreamed, reportDropped, type StreamArguments } from './streamed.js'
import { rateText } from './summary.js'
import { type StreamedBatch, writeBatches } from './write-batches.js'

export interface OutputArguments extends StreamArguments, ProgressArguments {
  out?: string
  json?: boolean
}

export interface StreamCommand<B extends StreamedBatch> {
  name: string
  /** The ONNX file. */
  path: string
  model: DeepLift
  options: OutputArguments
  parameters: Parameters
  /** What decides the results beside model and examples, for the provenance. */
  facts: Readonly<Record<string, unknown>>
  /** What the summary says was asked for. */
  settings: object
  signal: AbortSignal
  batches(records: AsyncIterable<ScoredRecord>, onProgress: (progress: RunProgress) => void): AsyncIterable<B>
  createSink(out: string, provenance: string): Sink<B>
}

/** The file that results go to. */
export function outOf(command: string, { out }: OutputArguments, what: string): string {
  if (out === undefined) throw usageOf(command, `say where the ${what} go: --out FILE.`)
  return out
}

export async function runStreamCommand<B extends StreamedBatch>(command: StreamCommand<B>): Promise<void> {
  const { name, path, model, options, parameters, facts, settings, signal } = command
  const reporter = createReporter(options.json === true)
  const out = options.out!
  const prefix = prefixOf(out)
  const examples = await openStreamed(name, model, options, signal)
  try {
    const { regions, policies } = examples
    if (regions) reportDropped(regions, reporter)
    const provenance = await provenanceText(path, { ...facts, policies })
    const own = command.createSink(out, provenance)
    const sink = regions ? new SinkGroup<B>([own, new RegionsSink(`${prefix}.regions.bed`)]) : own
    const unit = regions ? 'regions' : 'examples'
    const line = new ProgressLine(unit, options)
    examples.total.then((total) => {
      line.total = total
    })
    const started = performance.now()
    try {
      const batches = command.batches(examples.records, line.update.bind(line))
      const { done, warnings } = await writeBatches(batches, sink, line, reporter)
      if (done === 0) throw new DeepLiftError('INVALID_INPUT', 'There are no examples.')
      await sink.finish()
      const seconds = (performance.now() - started) / 1000
      await writeJson(`${prefix}.params.json`, parameters)
      const data = {
        examples: done,
        seconds,
        examplesPerSecond: done / seconds,
        regions: regions && { rows: regions.rows, kept: regions.kept },
        warnings,
        settings: { model: path, ...settings },
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
