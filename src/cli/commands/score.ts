/** `deeplift score`: contribution scores of sequences or arrays, into files. */

import type { Command } from 'commander'
import { DeepLiftError } from '../../errors.js'
import type { DeepLift } from '../../model.js'
import type { Precision } from '../../native.js'
import { checkChoice, didYouMean } from '../../options/check.js'
import { RULES } from '../../options/rule.js'
import type { OutputName, StreamOptions } from '../../options/score-options.js'
import {
  byInput,
  parseCount,
  parseReference,
  parseRule,
  parseTarget,
  type ReferenceArgument,
} from '../arguments.js'
import { createReporter, type Reporter } from '../console.js'
import { interruption } from '../interruption.js'
import { addModelOptions, collect, loadModel, type ModelArguments } from '../model-options.js'
import { type describeProgress, duration, ProgressLine } from '../progress-line.js'
import { type Examples, openExamples } from '../records.js'
import { ModiscoSink } from '../sinks/modisco.js'
import { NpySink } from '../sinks/npy.js'
import { NpzSink } from '../sinks/npz.js'
import type { Sink } from '../sinks/sink.js'

const FORMATS = ['npz', 'npy', 'modisco'] as const
type Format = (typeof FORMATS)[number]

interface Arguments extends ModelArguments {
  fasta?: string
  input?: string[]
  reference?: string[]
  target?: string[]
  rule?: string
  override?: string[]
  multiplyBy?: string
  seed: string
  unknown: string
  uracil?: boolean
  out: string
  format?: string
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
    .option('--fasta <file>', "sequences: FASTA, plain, gzip or bgzip; '-' reads stdin")
    .option(
      '--input <[name=]file.npy>',
      'input values [n, …], or base codes [n, length] as integers',
      collect,
    )
    .option(
      '--reference <[name=]reference>',
      'dinuc-shuffle[:COUNT] (20), zeros, background[:A,C,G,T] (.25 each), file:REFERENCES.npy or self (held fixed)',
      collect,
    )
    .option(
      '--target <[output:]index>',
      'value to explain, such as 3 or logits:3; repeat for several',
      collect,
    )
    .option('--rule <rule>', `${RULES.join(', ')} (default: rescale)`)
    .option(
      '--override <node=rule>',
      'another rule for the nodes of this name; * matches any characters',
      collect,
    )
    .option('--multiply-by <what>', 'difference, or input with --rule gradient (default: difference)')
    .option('--seed <n>', 'seed of the shuffles', '1')
    .option('--unknown <policy>', 'unknown bases in shuffles: symbol, fixed or reject', 'symbol')
    .option('--uracil', 'read U as T')
    .requiredOption('--out <file>', 'file to write; with --format modisco the prefix of two files')
    .option('--format <format>', `${FORMATS.join(', ')} (default: from the name of --out, or npz)`)
    .option('--hypothetical', 'also write hypothetical contributions')
    .option('--multipliers', 'also write multipliers')
    .option('--per-reference', 'also write contributions against each reference')
    .option('--precision <type>', 'float32 or float64', 'float32')
    .option('--batch <n>', 'examples per native call; has no effect on any number')
    .option('--first-example <n>', 'number of the first example, where this job is a part of a larger one')
    .option('--quiet', 'no progress')
    .option('--json', 'print the summary as JSON')
  addModelOptions(command).action(async (path: string, options: Arguments) => {
    await score(path, options)
  })
}

async function score(path: string, options: Arguments): Promise<void> {
  const reporter = createReporter(options.json === true)
  const format = chooseFormat(options)
  if ((options.fasta === undefined) === (options.input === undefined))
    throw usage('give the examples either as --fasta FILE or as --input FILE.npy.')
  const model = await loadModel(path, options)
  const scoring = scoreOptions(options, model, format)
  const interrupt = interruption()
  const examples = await openExamples({
    inputs: model.inputs,
    fasta: options.fasta,
    files: inputFiles(options.input ?? [], model),
    references: referenceArguments(options, model),
    letters: { uracil: options.uracil ? 't' : 'reject' },
    signal: interrupt.signal,
  })
  const sink = createSink(format, options.out)
  try {
    const summary = await run(model, examples, scoring, sink, reporter, options, interrupt.signal)
    await sink.finish()
    const settings = { model: path, references: options.reference ?? null, seed: options.seed, ...scoring }
    reporter.result(() => summary.text, { ...summary.data, settings, files: sink.paths })
  } catch (error) {
    await sink.abort()
    throw error
  } finally {
    interrupt.end()
    // A pipe that nobody reads to its end would keep the process.
    if (options.fasta === '-') process.stdin.destroy()
    await examples.close()
  }
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
  // Gradients do not promise to sum up, so their residual says nothing about the numbers.
  const residual =
    options.rule === 'gradient' ? '' : `, worst completeness ${last.worstCompleteness.toExponential(1)}`
  const rate = `${(last.done / seconds).toPrecision(3)}/s`
  const text = `${last.done} examples in ${duration(seconds)} (${rate})${residual}: ${sink.paths.join(', ')}`
  return { text, data }
}

function chooseFormat({ format, out }: Arguments): Format {
  if (format !== undefined) return checkChoice(format, FORMATS, '--format')
  return out.endsWith('.npy') ? 'npy' : 'npz'
}

function createSink(format: Format, out: string): Sink {
  if (format === 'modisco') return new ModiscoSink(out)
  return format === 'npy' ? new NpySink(out) : new NpzSink(out)
}

function scoreOptions(options: Arguments, model: DeepLift, format: Format): StreamOptions {
  const targets = (options.target ?? []).map((text) => parseTarget(text, model.outputs))
  const rule = parseRule(options.rule, options.override ?? [])
  const outputs: OutputName[] = ['contributions']
  if (options.hypothetical || format === 'modisco') outputs.push('hypothetical')
  if (options.multipliers) outputs.push('multipliers')
  if (options.perReference) outputs.push('perReference')
  return {
    outputs,
    precision: options.precision as Precision,
    ...(targets.length > 0 && { target: targets.length === 1 ? targets[0]! : targets }),
    ...(rule !== undefined && { rule }),
    ...(options.multiplyBy !== undefined && { multiplyBy: options.multiplyBy as 'input' }),
    ...(options.batch !== undefined && { batchSize: parseCount(options.batch, '--batch', 1) }),
    ...(options.firstExample !== undefined && {
      firstExample: parseCount(options.firstExample, '--first-example', 0),
    }),
    ...(options.channelAxis !== undefined && {
      channelAxis: parseCount(options.channelAxis, '--channel-axis', 1),
    }),
  }
}

function inputFiles(texts: readonly string[], model: DeepLift): Map<string, string> {
  if (texts.length === 0) return new Map()
  const names = model.inputs.map(({ name }) => name)
  if (names.length > 1)
    for (const text of texts) {
      const [name] = text.split('=', 1)
      if (!names.some((each) => text.startsWith(`${each}=`)))
        throw usage(
          `--input ${text}: the model has the inputs ${names.join(', ')}; write --input NAME=FILE.npy.` +
            didYouMean(name!, names),
        )
    }
  const files = byInput(texts, names, '--input')
  const missing = names.find((name) => !files.has(name))
  if (missing !== undefined) throw usage(`input "${missing}" is missing: give --input ${missing}=FILE.npy.`)
  return files
}

function referenceArguments(options: Arguments, model: DeepLift): Map<string, ReferenceArgument> {
  const names = model.inputs.map(({ name }) => name)
  const settings = { seed: parseCount(options.seed, '--seed', 0), unknown: options.unknown }
  if (options.reference === undefined) {
    if (options.multiplyBy === 'input') return new Map(names.map((name) => [name, 'zeros']))
    throw usage(
      'say what inputs are compared with: --reference dinuc-shuffle:20, zeros, background:.3,.2,.2,.3 or file:REFERENCES.npy.',
    )
  }
  const texts = byInput(options.reference, names, '--reference')
  return new Map([...texts].map(([name, text]) => [name, parseReference(text, settings)]))
}

function usage(message: string): DeepLiftError {
  return new DeepLiftError('INVALID_OPTION', `score: ${message}`)
}
