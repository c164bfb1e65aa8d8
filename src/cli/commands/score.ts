/** `deeplift score`: contribution scores of sequences or arrays, into files. */

import type { Command } from 'commander'
import { DeepLiftError } from '../../errors.js'
import type { DeepLift } from '../../model.js'
import { PRECISIONS, type Precision } from '../../native.js'
import { resolveRule, sumsToDifference, TIMES_INPUT } from '../../options/rule.js'
import type { OutputName, StreamOptions } from '../../options/score-options.js'
import type { NodeResidual } from '../../trace.js'
import { parseCount, usage } from '../arguments.js'
import { createReporter, type Reporter, table } from '../console.js'
import { exampleSources, type SourceArguments } from '../example-sources.js'
import { addExplanationOptions, type ExplanationArguments, explanation } from '../explanation.js'
import { interruption } from '../interruption.js'
import { addModelOptions, collect, loadModel, type ModelArguments } from '../model-options.js'
import { type describeProgress, duration, ProgressLine } from '../progress-line.js'
import { provenanceOf } from '../provenance.js'
import { type Examples, openExamples } from '../records.js'
import { chooseFormat, createSink, FORMATS, type Format, outputsOf } from '../sinks/formats.js'
import type { Sink } from '../sinks/sink.js'

interface Arguments extends ModelArguments, ExplanationArguments, SourceArguments {
  multiplyBy?: string
  uracil?: boolean
  out?: string
  traceCompleteness?: boolean
  format?: string
  compress?: boolean
  float16?: boolean
  hypothetical?: boolean
  multipliers?: boolean
  perReference?: boolean
  precision: string
  batch?: string
  firstExample?: string
  quiet?: boolean
  json?: boolean
}

export function addScoreCommand(program: Command): void {
  const command = program
    .command('score')
    .description('score sequences or arrays and write the contributions to a file')
    .argument('<model>', 'ONNX file')
    .option(
      '--fasta <[name=]file>',
      "sequences: FASTA, plain, gzip or bgzip; '-' reads stdin. Other inputs of the model come from --input",
    )
    .option(
      '--input <[name=]file.npy>',
      'input values [n, …], or base codes [n, length] as integers',
      collect,
    )
    .option(
      '--reference <[name=]reference>',
      'dinuc-shuffle[:COUNT] (20), zeros, background[:A,C,G,T] (.25 each), file:REFERENCES.npy or self (held fixed); ' +
        'without a name, of all inputs that have none of their own',
      collect,
    )
    .option('--seed <n>', 'seed of the shuffles', '1')
    .option('--unknown <policy>', 'unknown bases in shuffles: symbol, fixed or reject', 'symbol')
    .option('--uracil', 'read U as T')
    .option('--out <file>', 'file to write; with --format modisco the prefix of two files')
    .option(
      '--trace-completeness',
      'instead of scores, print how far contributions are from summing up at each node',
    )
    .option('--format <format>', `${FORMATS.join(', ')} (default: from the name of --out, or npz)`)
    .option('--compress', 'deflate .npz and HDF5 files: smaller, slower to write, the same numbers')
    .option('--float16', 'store scores in half precision, three decimal digits, in half the space')
    .option('--hypothetical', 'also write hypothetical contributions')
    .option('--multipliers', 'also write multipliers')
    .option('--per-reference', 'also write contributions against each reference')
    .option('--precision <type>', PRECISIONS.join(', '), 'float32')
    .option('--batch <n>', 'examples per native call; has no effect on any number')
    .option('--first-example <n>', 'number of the first example, where this job is a part of a larger one')
    .option('--quiet', 'no progress')
    .option('--json', 'print the summary as JSON')
  addExplanationOptions(command).option(
    '--multiply-by <what>',
    `difference, or input with --rule ${TIMES_INPUT.join(', ')} (default: difference)`,
  )
  addModelOptions(command).action(async (path: string, options: Arguments) => {
    await score(path, options)
  })
}

async function score(path: string, options: Arguments): Promise<void> {
  const reporter = createReporter(options.json === true)
  const { out, traceCompleteness = false } = options
  if (traceCompleteness === (out !== undefined))
    throw usage(
      traceCompleteness
        ? '--trace-completeness prints a table and writes no scores: leave out --out.'
        : 'say where the scores go: --out FILE.',
    )
  const format = chooseFormat(options)
  const model = await loadModel(path, options)
  const scoring = scoreOptions(options, model, format)
  const interrupt = interruption()
  const { signal } = interrupt
  const sources = exampleSources(options, scoring, model.inputs)
  const examples = await openExamples({
    inputs: model.inputs,
    ...sources,
    letters: { uracil: options.uracil ? 't' : 'reject' },
    signal,
  })
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
    const sink = createSink(format, { out, several, provenance, compress, float16 })
    try {
      const summary = await run(model, examples, scoring, sink, reporter, options, signal)
      await sink.finish()
      reporter.result(() => summary.text, { ...summary.data, settings, files: sink.paths })
    } catch (error) {
      await sink.abort()
      throw error
    }
  } finally {
    interrupt.end()
    // A pipe that nobody reads to its end would keep the process.
    if (sources.fasta?.path === '-') process.stdin.destroy()
    await examples.close()
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
  const line = new ProgressLine('examples', options.quiet === true)
  examples.total.then((total) => {
    line.total = total
  })
  let last = {
    done: 0,
    total: undefined,
    perSecond: 0,
    etaSeconds: undefined,
    worstCompleteness: 0,
  } as Parameters<typeof describeProgress>[0]
  const started = performance.now()
  const warned = new Set<string>()
  try {
    for await (const batch of model.stream(examples.records, {
      ...scoring,
      references: examples.references,
      signal,
      onProgress: (progress) => {
        last = progress
        line.update(progress)
      },
    })) {
      for (const warning of batch.warnings) {
        if (warned.has(warning)) continue
        warned.add(warning)
        line.end()
        reporter.warn(warning)
      }
      await sink.write(batch)
    }
  } finally {
    line.end()
  }
  if (last.done === 0) throw new DeepLiftError('INVALID_INPUT', 'There are no examples to score.')
  const seconds = (performance.now() - started) / 1000
  const data = {
    examples: last.done,
    seconds,
    examplesPerSecond: last.done / seconds,
    worstCompleteness: last.worstCompleteness,
    warnings: [...warned],
  }
  // Where contributions do not promise to sum up, their residual says nothing about the numbers.
  const residual = sumsToDifference(resolveRule(scoring.rule).rule)
    ? `, worst completeness ${last.worstCompleteness.toExponential(1)}`
    : ''
  const rate = `${(last.done / seconds).toPrecision(3)}/s`
  const text = `${last.done} examples in ${duration(seconds)} (${rate})${residual}: ${sink.paths.join(', ')}`
  return { text, data }
}

function severalScored({ layers }: StreamOptions, { inputs }: DeepLift): boolean {
  return (layers?.length ?? inputs.length) > 1
}

function scoreOptions(options: Arguments, model: DeepLift, format: Format): StreamOptions {
  const outputs = new Set<OutputName>(['contributions', ...outputsOf(format)])
  if (options.hypothetical) outputs.add('hypothetical')
  if (options.multipliers) outputs.add('multipliers')
  if (options.perReference) outputs.add('perReference')
  return {
    ...explanation(options, model.outputs),
    outputs: [...outputs],
    precision: options.precision as Precision,
    ...(options.multiplyBy !== undefined && { multiplyBy: options.multiplyBy as 'input' }),
    ...(options.batch !== undefined && { batchSize: parseCount(options.batch, '--batch', 1) }),
    ...(options.firstExample !== undefined && {
      firstExample: parseCount(options.firstExample, '--first-example', 0),
    }),
  }
}
