/** The options of `score`, which are the parameters of a job; those of examples are those of other commands too. */

import { type Command, Option } from 'commander'
import { LOWERCASE } from '../genomics/genome.js'
import { EDGES } from '../genomics/region.js'
import type { DeepLift } from '../model.js'
import { PRECISIONS, type Precision } from '../native.js'
import { TIMES_INPUT } from '../options/rule.js'
import type { OutputName, StreamOptions } from '../options/score-options.js'
import { parseCount } from './arguments.js'
import type { SourceArguments } from './example-sources.js'
import { addExplanationOptions, type ExplanationArguments, explanation } from './explanation.js'
import { addModelOptions, collect, type ModelArguments } from './model-options.js'
import { addParametersOption } from './parameters.js'
import { chooseFormat, FORMATS, outputsOf } from './sinks/formats.js'

/** How sequences are read, and regions become windows. */
export interface WindowArguments {
  uracil?: boolean
  length?: string
  edges: string
  lowercase: string
}

export interface ScoreArguments
  extends ModelArguments,
    ExplanationArguments,
    SourceArguments,
    WindowArguments {
  multiplyBy?: string
  out?: string
  format?: string
  hypothetical?: boolean
  multipliers?: boolean
  perReference?: boolean
  precision: string
  compress?: boolean
  float16?: boolean
  batch?: string
  firstExample?: string
  params?: string
}

/** Options that say where examples come from. */
export function addExampleOptions(command: Command): Command {
  addParametersOption(command)
    .option(
      '--fasta <[name=]file>',
      "sequences: FASTA, plain, gzip or bgzip; '-' reads stdin. Other inputs of the model come from --input",
    )
    .option(
      '--bed <[name=]file>',
      'regions of --genome: BED or narrowPeak, plain or packed; windows are centred on the summit, or else the middle',
    )
  return addWindowOptions(command).option(
    '--input <[name=]file.npy>',
    'input values [n, …], or base codes [n, length] as integers',
    collect,
  )
}

/** What --batch is. */
export const BATCH = 'examples per native call; has no effect on any number'

/** Options of windows of a genome. */
export function addWindowOptions(command: Command): Command {
  return command
    .option('--genome <file>', 'FASTA, plain or bgzip (the index is made if it is missing), or 2bit')
    .option('--length <bases>', 'of windows (default: from the model)')
    .addOption(
      new Option(
        '--edges <policy>',
        'windows over the edge of their chromosome: leave them out, or pad with N',
      )
        .choices(EDGES)
        .default(EDGES[0]),
    )
    .addOption(
      new Option('--lowercase <policy>', 'lower case in the genome: read as upper case, or as N')
        .choices(LOWERCASE)
        .default(LOWERCASE[0]),
    )
}

/** What scores are compared with. */
export function addReferenceOptions(command: Command): Command {
  return command
    .option(
      '--reference <[name=]reference>',
      'dinuc-shuffle[:COUNT] (20), zeros, background[:A,C,G,T] (.25 each), file:REFERENCES.npy or self (held fixed); ' +
        'without a name, of all inputs that have none of their own',
      collect,
    )
    .option('--seed <n>', 'seed of the shuffles', '1')
    .option('--unknown <policy>', 'unknown bases in shuffles: symbol, fixed or reject', 'symbol')
}

/** Where arrays go that are no scores, and how they are computed; options of the model. */
export function addArrayOptions(command: Command, formats: readonly string[]): Command {
  command
    .option('--out <file>', 'file to write')
    .option('--format <format>', `${formats.join(', ')} (default: from the name of --out, or npz)`)
    .option('--precision <type>', PRECISIONS.join(', '), 'float32')
    .option('--compress', 'deflate .npz files: smaller, slower to write, the same numbers')
    .option('--batch <n>', BATCH)
  return addModelOptions(command)
}

/** Options that say what is scored, how, and where the results go. */
export function addScoreOptions(command: Command): Command {
  addReferenceOptions(addExampleOptions(command))
    .option('--uracil', 'read U as T')
    .option('--out <file>', 'file to write; with --format modisco the prefix of two files')
    .option('--format <format>', `${FORMATS.join(', ')} (default: from the name of --out, or npz)`)
    .option('--hypothetical', 'also write hypothetical contributions')
    .option('--multipliers', 'also write multipliers')
    .option('--per-reference', 'also write contributions against each reference')
    .option('--precision <type>', PRECISIONS.join(', '), 'float32')
    .option('--compress', 'deflate .npz and HDF5 files: smaller, slower to write, the same numbers')
    .option('--float16', 'store scores in half precision, three decimal digits, in half the space')
    .option('--batch <n>', BATCH)
    .option('--first-example <n>', 'number of the first example, where this job is a part of a larger one')
  addExplanationOptions(command).option(
    '--multiply-by <what>',
    `difference, or input with --rule ${TIMES_INPUT.join(', ')} (default: difference)`,
  )
  return addModelOptions(command)
}

export function scoreOptions(options: ScoreArguments, model: DeepLift): StreamOptions {
  const outputs = new Set<OutputName>(['contributions', ...outputsOf(chooseFormat(options))])
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

export function severalScored({ layers }: StreamOptions, { inputs }: DeepLift): boolean {
  return (layers?.length ?? inputs.length) > 1
}
