/** Examples of commands that stream them into files: sequences, arrays, or windows of regions, cut as they are needed. */

import { Genome, type Lowercase } from '../genomics/genome.js'
import type { Edges, Region } from '../genomics/region.js'
import type { DeepLift } from '../model.js'
import type { PlanChoices } from '../options/score-options.js'
import { parseCount } from './arguments.js'
import type { Reporter } from './console.js'
import { exampleFiles, type FileArguments } from './example-sources.js'
import { noRegions, SHOWN, type Window, windowsOf } from './jobs/region-list.js'
import { windowLength } from './jobs/sizes.js'
import type { ModelArguments } from './model-options.js'
import { type Examples, openExamples } from './records.js'
import type { WindowArguments } from './score-arguments.js'

export type StreamArguments = FileArguments & WindowArguments & ModelArguments

export interface Regions {
  rows: number
  kept: number
  /** The first rows that are left out, in words. */
  dropped: string[]
}

export interface StreamedExamples extends Omit<Examples, 'references'> {
  /** Where examples are regions. */
  regions: Regions | undefined
  /** What decides the sequences of regions, for the provenance. */
  policies: Readonly<Record<string, unknown>>
}

/** Opens the files of `command`, which errors name. The caller closes them. */
export async function openStreamed(
  command: string,
  model: DeepLift,
  options: StreamArguments,
  signal: AbortSignal,
): Promise<StreamedExamples> {
  const { inputs } = model
  const { bed, ...sources } = exampleFiles(command, options, inputs)
  const letters = { uracil: options.uracil ? 't' : 'reject' } as const
  const settings = { inputs, ...sources, references: new Map<string, never>(), letters, signal }
  if (!bed) {
    const examples = await openExamples(settings)
    const close = async () => {
      // A pipe that nobody reads to its end would keep the process.
      if (sources.fasta?.path === '-') process.stdin.destroy()
      await examples.close()
    }
    return { ...examples, regions: undefined, policies: {}, close }
  }
  const lowercase = options.lowercase as Lowercase
  const genome = await Genome.open(options.genome!, { lowercase, signal })
  try {
    const length = windowLength(options, model, bed.input, channelAxisOf(options), command)
    const window: Window = { length, edges: options.edges as Edges }
    const regions = await survey(bed.path, genome, window)
    const source = { input: bed.input, genome, regions: kept(bed.path, genome, window), rows: regions.rows }
    const { records, close } = await openExamples({ ...settings, regions: source })
    return {
      records,
      total: Promise.resolve(regions.kept),
      regions,
      policies: { edges: window.edges, length, lowercase },
      async close() {
        await close()
        await genome.close()
      },
    }
  } catch (error) {
    await genome.close()
    throw error
  }
}

export function channelAxisOf({ channelAxis }: ModelArguments): Pick<PlanChoices, 'channelAxis'> {
  return channelAxis === undefined ? {} : { channelAxis: parseCount(channelAxis, '--channel-axis', 1) }
}

/** One look through the BED file, so that a wrong row is found before anything is computed. */
async function survey(bed: string, genome: Genome, window: Window): Promise<Regions> {
  const regions: Regions = { rows: 0, kept: 0, dropped: [] }
  for await (const { why } of windowsOf(bed, genome, window)) {
    regions.rows++
    if (why === undefined) regions.kept++
    else if (regions.dropped.length < SHOWN) regions.dropped.push(why)
  }
  if (regions.kept === 0) throw noRegions(bed, regions.rows, window.length, regions.dropped)
  return regions
}

async function* kept(bed: string, genome: Genome, window: Window): AsyncGenerator<Region> {
  for await (const { region } of windowsOf(bed, genome, window)) if (typeof region === 'object') yield region
}

/** Says which rows of the BED file have no results. */
export function reportDropped({ rows, kept, dropped }: Regions, reporter: Reporter): void {
  if (kept === rows) return
  const more = rows - kept - dropped.length
  reporter.warn(
    `${rows - kept} of ${rows} regions are left out: ${dropped.join('; ')}${more > 0 ? `; and ${more} more` : ''}.`,
  )
}
