/** `deeplift score`: contribution scores of sequences, regions or arrays, into files. */

import type { Command } from 'commander'
import { DeepLiftError } from '../../errors.js'
import type { DeepLift } from '../../model.js'
import type { StreamOptions } from '../../options/score-options.js'
import type { NodeResidual } from '../../trace.js'
import { usage } from '../arguments.js'
import { createReporter, type Reporter, table } from '../console.js'
import { exampleSources } from '../example-sources.js'
import { mergeJob } from '../jobs/merge.js'
import { planJob } from '../jobs/plan.js'
import { computeShare, openJob } from '../jobs/work.js'
import { addLongRun } from '../long-run.js'
import { loadModel } from '../model-options.js'
import { type Parameters, writeJson } from '../parameters.js'
import { type ProgressArguments, ProgressLine } from '../progress-line.js'
import { provenanceOf } from '../provenance.js'
import { type Examples, openExamples } from '../records.js'
import { prefixOf } from '../results.js'
import { addScoreOptions, type ScoreArguments, scoreOptions, severalScored } from '../score-arguments.js'
import { chooseFormat, createSink } from '../sinks/formats.js'
import type { Sink } from '../sinks/sink.js'
import { reportDropped } from '../streamed.js'
import { rateLine } from '../summary.js'
import { targetNames } from '../targets.js'
import { version } from '../version.js'
import { writeBatches } from '../write-batches.js'

interface Arguments extends ScoreArguments, ProgressArguments {
  traceCompleteness?: boolean
  restart?: boolean
  keepJob?: boolean
  json?: boolean
}

export function addScoreCommand(program: Command): void {
  const command = program
    .command('score')
    .description('score sequences, regions or arrays and write the contributions to a file')
    .argument('[model]', 'ONNX file')
  addScoreOptions(command)
    .option(
      '--trace-completeness',
      'instead of scores, print how far contributions are from summing up at each node',
    )
    .option('--restart', 'with --bed: discard an unfinished job of the same --out')
    .option('--keep-job', 'with --bed: keep the blocks that results are made of')
  addLongRun(command, score)
}

async function score(
  path: string,
  options: Arguments,
  parameters: Parameters,
  signal: AbortSignal,
): Promise<void> {
  const reporter = createReporter(options.json === true)
  const { out, traceCompleteness = false } = options
  if (traceCompleteness === (out !== undefined))
    throw usage(
      traceCompleteness
        ? '--trace-completeness prints a table and writes no scores: leave out --out.'
        : 'say where the scores go: --out FILE.',
    )
  const run = options.bed === undefined || out === undefined ? scoreExamples : scoreRegions
  await run(path, options, parameters, reporter, signal)
}

/** Examples that are there as sequences or arrays go through memory into their file. */
async function scoreExamples(
  path: string,
  options: Arguments,
  parameters: Parameters,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<void> {
  const { out } = options
  const format = chooseFormat(options)
  const model = await loadModel(path, options)
  const scoring = scoreOptions(options, model)
  const sources = exampleSources(options, scoring, model.inputs)
  if (sources.bed) throw usage('--trace-completeness takes --fasta or --input.')
  const letters = { uracil: options.uracil ? 't' : 'reject' } as const
  const examples = await openExamples({ inputs: model.inputs, ...sources, letters, signal })
  const settings = { model: path, references: options.reference ?? null, seed: options.seed, ...scoring }
  try {
    if (out === undefined) {
      const nodes = await trace(model, examples, scoring, signal)
      reporter.result(() => residualTable(nodes), { nodes, settings })
      return
    }
    const provenance = await provenanceOf({
      model: path,
      scoring,
      references: options.reference ?? [],
      seed: options.seed,
    })
    const { compress = false, float16 = false } = options
    const several = severalScored(scoring, model)
    const sink = createSink(format, {
      ...{ out, several, provenance, compress, float16 },
      targets: targetNames(options),
    })
    try {
      const summary = await run(model, examples, scoring, sink, reporter, options, signal)
      await sink.finish()
      const parametersPath = `${prefixOf(out)}.params.json`
      await writeJson(parametersPath, parameters)
      reporter.result(() => `${summary.text}: ${sink.paths.join(', ')}`, {
        ...summary.data,
        settings,
        files: sink.paths,
        parameters: parametersPath,
      })
    } catch (error) {
      await sink.abort()
      throw error
    }
  } finally {
    // A pipe that nobody reads to its end would keep the process.
    if (sources.fasta?.path === '-') process.stdin.destroy()
    await examples.close()
  }
}

/** Regions are a job: planned, computed block by block, merged. */
async function scoreRegions(
  path: string,
  options: Arguments,
  parameters: Parameters,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<void> {
  const job = await openJob(path, options, signal)
  try {
    const request = { ...job, parameters, modelPath: path, version, restart: options.restart === true }
    const { folder, manifest, dropped } = await planJob(request)
    reportDropped({ ...manifest.regions, dropped }, reporter)
    const started = performance.now()
    const all = { first: 0, end: manifest.blocks }
    const { warnings, computed, kept } = await computeShare(folder, manifest, job, all, {
      reporter,
      progress: options,
      signal,
    })
    const seconds = (performance.now() - started) / 1000
    const { paths, worstCompleteness, unknown } = await mergeJob(folder, manifest, {
      keep: options.keepJob === true,
      signal,
    })
    const rate = rateLine({ examples: computed, seconds, worstCompleteness }, 'regions', job.scoring)
    const resumed = kept > 0 ? `, ${kept} from before` : ''
    const n = unknown > 0 ? `, ${unknown} with unknown bases` : ''
    reporter.result(() => `${rate}${resumed}${n}: ${paths.join(', ')}`, {
      examples: manifest.regions.kept,
      computed,
      seconds,
      examplesPerSecond: computed / seconds,
      worstCompleteness,
      withUnknownBases: unknown,
      regions: manifest.regions,
      warnings,
      settings: { model: path, references: options.reference ?? null, seed: options.seed, ...job.scoring },
      files: paths,
    })
  } finally {
    await job.genome.close()
  }
}

async function trace(
  model: DeepLift,
  examples: Examples,
  { outputs: _, ...scoring }: StreamOptions,
  signal: AbortSignal,
): Promise<NodeResidual[]> {
  return await model.trace(examples.records, { ...scoring, references: examples.references, signal })
}

/** Rows that people want to see; programs get all of them as JSON. */
const ROWS_SHOWN = 20

function residualTable(nodes: readonly NodeResidual[]): string {
  const rows = nodes
    .slice(0, ROWS_SHOWN)
    .map(({ node, op, rule, residual, relative }) => [
      relative.toExponential(1),
      residual.toExponential(1),
      node,
      op,
      rule,
    ])
  const hidden = nodes.length - rows.length
  return (
    table([['relative', 'residual', 'node', 'op', 'rule'], ...rows], [0, 1]) +
    (hidden > 0 ? `\n${hidden} more nodes lose less (--json shows all)` : '')
  )
}

async function run(
  model: DeepLift,
  examples: Examples,
  scoring: StreamOptions,
  sink: Sink,
  reporter: Reporter,
  options: Arguments,
  signal: AbortSignal,
) {
  const line = new ProgressLine('examples', options)
  examples.total.then((total) => {
    line.total = total
  })
  let worstCompleteness = 0
  const started = performance.now()
  const batches = model.stream(examples.records, {
    ...scoring,
    references: examples.references,
    signal,
    onProgress: (progress) => {
      worstCompleteness = progress.worstCompleteness
      line.update(progress)
    },
  })
  const { done, warnings } = await writeBatches(batches, sink, line, reporter)
  if (done === 0) throw new DeepLiftError('INVALID_INPUT', 'There are no examples to score.')
  const seconds = (performance.now() - started) / 1000
  const data = { examples: done, seconds, examplesPerSecond: done / seconds, worstCompleteness, warnings }
  return { text: rateLine(data, 'examples', scoring), data }
}
