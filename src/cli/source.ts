/** Where the examples of a command come from: sequences, arrays, or windows of regions, cut as they are needed. */

import { Genome, type Lowercase } from '../genomics/genome.js'
import type { Edges } from '../genomics/region.js'
import { sha256Of } from '../io/files.js'
import type { DeepLift } from '../model.js'
import type { ReferenceArgument } from './arguments.js'
import type { ExampleFiles, SequenceFile } from './example-sources.js'
import { genomeIdentity, sizesIdentity } from './genome-identity.js'
import type { Fact, Range } from './jobs/job.js'
import { contentsOf } from './jobs/manifest.js'
import { channelAxisOf, type ModelArguments } from './model-options.js'
import { countSequences, type ExampleSettings, type Examples, openExamples } from './records.js'
import type { WindowArguments } from './score-arguments.js'
import type { ScoredRecord } from './sinks/sink.js'
import {
  openBed,
  type RegionSummary,
  surveyRegions,
  type Window,
  windowLength,
  windowsBetween,
} from './windows.js'

export interface Source {
  unit: 'examples' | 'regions'
  /** Undefined for a pipe. */
  examples: number | undefined
  records(range: Range, compared: boolean): AsyncIterable<ScoredRecord>
  references: Examples['references']
  /** Where examples are regions; `dropped` are the first that are left out, in words. */
  regions: { summary: RegionSummary; dropped: readonly string[]; genome: Genome } | undefined
  /** What decides the sequences of regions, for the provenance. */
  policies: Readonly<Record<string, unknown>>
  /** What is in the files. */
  identity(): Promise<Fact[]>
  close(): Promise<void>
}

export interface SourceSettings {
  /** Named in errors. */
  command: string
  model: DeepLift
  options: WindowArguments & ModelArguments & { genome?: string }
  files: ExampleFiles
  references: ReadonlyMap<string, ReferenceArgument>
  signal: AbortSignal
}

/** The caller closes it. */
export async function openSource(settings: SourceSettings): Promise<Source> {
  const { bed } = settings.files
  return bed ? await openRegions(settings, bed) : await openSequences(settings)
}

function exampleSettings({ model, options, files, references, signal }: SourceSettings): ExampleSettings {
  const letters = { uracil: options.uracil ? 't' : 'reject' } as const
  return { inputs: model.inputs, fasta: files.fasta, files: files.files, references, letters, signal }
}

async function openSequences(settings: SourceSettings): Promise<Source> {
  const { fasta } = settings.files
  const own = exampleSettings(settings)
  const count = fasta && (await countSequences(fasta, own))
  const examples = await openExamples(own)
  try {
    if (count !== undefined) examples.checkRows(count)
  } catch (error) {
    await examples.close()
    throw error
  }
  const { records, references } = examples
  return {
    unit: 'examples',
    examples: fasta ? count : examples.rows,
    ...{ records, references, regions: undefined, policies: {} },
    async identity() {
      const sequences: Fact[] = fasta
        ? [
            ['file of sequences', await sha256Of(fasta.path)],
            ['input of the sequences', fasta.input],
          ]
        : []
      return [...sequences, ...(await contentsOf(filesOf(settings)))]
    },
    async close() {
      // A pipe that nobody reads to its end would keep the process.
      if (fasta?.path === '-') process.stdin.destroy()
      await examples.close()
    },
  }
}

async function openRegions(settings: SourceSettings, bed: SequenceFile): Promise<Source> {
  const { command, model, options, signal } = settings
  const lowercase = options.lowercase as Lowercase
  const genome = await Genome.open(options.genome!, { lowercase, signal })
  try {
    const length = windowLength(options, model, bed.input, channelAxisOf(options), command)
    const window: Window = { length, edges: options.edges as Edges }
    const file = await openBed(bed.path)
    const { summary, examples: dropped } = await surveyRegions(file, genome, window)
    const regions = {
      input: bed.input,
      genome,
      regions: windowsBetween.bind(undefined, file, genome, window),
      rows: summary.rows,
    }
    const { records, references, close } = await openExamples({ ...exampleSettings(settings), regions })
    const regionsSha256 = summary.sha256
    return {
      unit: 'regions',
      examples: summary.kept,
      ...{ records, references, regions: { summary, dropped, genome } },
      policies: {
        ...{ edges: window.edges, length, lowercase, regionsSha256 },
        chromSizesSha256: sizesIdentity(genome),
      },
      identity: async () => [
        ...(await genomeIdentity(genome)),
        ['list of regions', regionsSha256],
        ['input of the regions', bed.input],
        ...(await contentsOf(filesOf(settings))),
      ],
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

/** The .npy files of other inputs and of references. */
function filesOf({ files, references }: SourceSettings): string[] {
  const given = [...references.values()].flatMap((each) =>
    typeof each === 'object' && 'file' in each ? [each.file] : [],
  )
  return [...files.files.values(), ...given]
}
