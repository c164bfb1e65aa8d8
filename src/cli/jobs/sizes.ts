/** Lengths of windows and sizes of blocks: from the model and the parameters alone, so that every machine finds the same. */

import { DeepLiftError } from '../../errors.js'
import { NpyFile } from '../../io/npy-read.js'
import type { DeepLift } from '../../model.js'
import { fixedShape, LETTERS, layoutOf, resolveChannelAxis, sequenceShape } from '../../options/layout.js'
import { resolveRule } from '../../options/rule.js'
import type { StreamOptions } from '../../options/score-options.js'
import type { InputInfo } from '../../options/tensor-info.js'
import { sizeOf } from '../../tensor.js'
import { parseCount, usageOf } from '../arguments.js'
import type { ExampleSources } from '../example-sources.js'
import type { Parameters } from '../parameters.js'

/** Results of a block: little enough to be held in memory. */
const BYTES_PER_BLOCK = 16e6

/** Arithmetic of a block: what a killed process loses at most, a few minutes of one core. */
const FLOPS_PER_BLOCK = 1e13

/** The length of windows in bases: that of the model's input, or `--length` where the model takes any. */
export function windowLength(
  parameters: { length?: Parameters[string] | undefined },
  model: Pick<DeepLift, 'inputs'>,
  input: string,
  { channelAxis }: StreamOptions,
  command = 'score',
): number {
  const info = model.inputs.find(({ name }) => name === input)!
  const text = parameters.length
  const asked = text === undefined ? undefined : parseCount(String(text), '--length', 1)
  const fixed = sequenceLength(info, channelAxis)
  const named = `input ${JSON.stringify(input)}`
  if (fixed === undefined && asked === undefined)
    throw usageOf(command, `${named} takes sequences of any length: say --length BASES.`)
  if (fixed !== undefined && asked !== undefined && fixed !== asked)
    throw usageOf(command, `--length ${asked}: ${named} takes sequences of ${fixed} bases.`)
  return fixed ?? asked!
}

function sequenceLength(info: InputInfo, channelAxis: StreamOptions['channelAxis']): number | undefined {
  const shape = fixedShape(info)
  if (!shape) return undefined
  const layout = layoutOf(info.name, shape, resolveChannelAxis(channelAxis, info))
  if (layout.channelAxis !== undefined) return layout.size / LETTERS
  throw new DeepLiftError(
    'INVALID_OPTION',
    `--bed: input ${JSON.stringify(info.name)} has no axis of 4 channels, so it does not take sequences.`,
  )
}

/** Examples of a block, by what one gives and what it costs; or `--block`. */
export async function blockSizeOf(
  { block }: Parameters,
  model: DeepLift,
  scoring: StreamOptions,
  sources: ExampleSources,
  windows: { input: string; length: number },
): Promise<number> {
  if (block !== undefined) return parseCount(String(block), '--block', 1)
  const shapes: Record<string, number[]> = {}
  for (const info of model.inputs) {
    const path = sources.files.get(info.name)
    if (path !== undefined) shapes[info.name] = (await npyShape(path)).slice(1)
    else if (info.name === windows.input)
      shapes[info.name] = sequenceShape(info, windows.length, resolveChannelAxis(scoring.channelAxis, info))
  }
  const { outputs = ['contributions'] } = scoring
  const { scored, flopsPerPass, targets } = await describe(model, scoring, shapes)
  const references = await referenceCount(model, sources)
  const values = scored.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  const perExample = outputs.reduce(
    (sum, output) => sum + (output === 'perReference' ? references : 1) * targets * values,
    0,
  )
  const passes = 1 + references * (resolveRule(scoring.rule).steps ?? 1) * (1 + targets)
  const byBytes = BYTES_PER_BLOCK / (4 * perExample)
  const byWork = FLOPS_PER_BLOCK / (passes * flopsPerPass)
  return Math.max(1, Math.floor(Math.min(byBytes, byWork)))
}

async function describe(model: DeepLift, scoring: StreamOptions, shapes: Record<string, number[]>) {
  const { batchSize: _batch, firstExample: _first, total: _total, ...choices } = scoring
  const { scored, flopsPerPass } = await model.describe({ ...choices, shapes })
  const targets = Array.isArray(scoring.target) ? scoring.target.length : 1
  return { scored, flopsPerPass, targets }
}

async function npyShape(path: string): Promise<number[]> {
  const file = await NpyFile.open(path)
  await file.close()
  return file.shape
}

/** The most references that an input has. */
async function referenceCount(model: DeepLift, { references }: ExampleSources): Promise<number> {
  let most = 1
  for (const { name, shape } of model.inputs) {
    const argument = references.get(name)
    if (typeof argument !== 'object' || argument === null) continue
    if ('count' in argument) most = Math.max(most, argument.count)
    if (!('file' in argument)) continue
    // Before the axes of an example stand those of references, and before them that of examples.
    const axes = await npyShape(argument.file)
    most = Math.max(most, axes.at(-shape.length) ?? 1)
  }
  return most
}
