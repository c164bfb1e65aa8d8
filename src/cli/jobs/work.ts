/** What the commands of a job share: opening what it reads, checking that it is still the same, computing a part. */

import { resolve } from 'node:path'
import { DeepLiftError } from '../../errors.js'
import { Genome, type Lowercase } from '../../genomics/genome.js'
import { sha256Of } from '../../io/files.js'
import type { DeepLift } from '../../model.js'
import type { StreamOptions } from '../../options/score-options.js'
import type { Reporter } from '../console.js'
import { type ExampleSources, exampleSources, type SequenceFile } from '../example-sources.js'
import { loadModel } from '../model-options.js'
import { type ProgressArguments, ProgressLine } from '../progress-line.js'
import { type ScoreArguments, scoreOptions } from '../score-arguments.js'
import { type Computed, computeBlocks } from './compute.js'
import { genomeIdentity } from './genome-identity.js'
import type { Manifest } from './manifest.js'

export interface OpenJob {
  model: DeepLift
  scoring: StreamOptions
  sources: ExampleSources
  bed: SequenceFile
  genome: Genome
}

/** Opens the model and the genome of a job. The caller closes the genome. */
export async function openJob(path: string, options: ScoreArguments, signal?: AbortSignal): Promise<OpenJob> {
  const model = await loadModel(path, options)
  const scoring = scoreOptions(options, model)
  const sources = exampleSources(options, scoring, model.inputs)
  const lowercase = options.lowercase as Lowercase
  const genome = await Genome.open(options.genome!, { lowercase, ...(signal && { signal }) })
  return { model, scoring, sources, bed: sources.bed!, genome }
}

/** Refuses to go on where a file is not what it was when the job was planned. */
export async function checkUnchanged(manifest: Manifest, { genome }: OpenJob): Promise<void> {
  const { parameters, files, model } = manifest
  const expected = { ...files, [String(parameters.model)]: model }
  for (const [path, sha256] of Object.entries(expected))
    if ((await sha256Of(path)) !== sha256) throw changed(path)
  const { sha256, samples } = await genomeIdentity(genome)
  if (sha256 !== manifest.genome.sha256 || samples !== manifest.genome.samples) throw changed(genome.path)
}

function changed(path: string): DeepLiftError {
  return new DeepLiftError(
    'INVALID_INPUT',
    `${resolve(path)} has changed since the job was planned; plan it again with --restart.`,
    { details: { path } },
  )
}

/** Computes blocks `[first, end)` with progress and warnings on stderr. */
export async function computeShare(
  folder: string,
  manifest: Manifest,
  job: OpenJob,
  share: { first: number; end: number },
  output: { reporter: Reporter; progress: ProgressArguments; signal: AbortSignal },
): Promise<Computed & { warnings: string[] }> {
  const line = new ProgressLine('regions', output.progress)
  const { blockSize, regions } = manifest
  line.total = Math.min(share.end * blockSize, regions.kept) - share.first * blockSize
  line.facts = { dropped: regions.dropped }
  const warnings = new Set<string>()
  const warn = (message: string) => {
    if (warnings.has(message)) return
    warnings.add(message)
    line.end()
    output.reporter.warn(message)
  }
  const { model, genome, scoring, sources } = job
  const examples = {
    files: sources.files,
    references: sources.references,
    letters: {},
    signal: output.signal,
  }
  try {
    const work = { folder, manifest, model, genome, scoring, examples, signal: output.signal, warn }
    const computed = await computeBlocks({ ...work, onProgress: (progress) => line.update(progress) }, share)
    return { ...computed, warnings: [...warnings] }
  } finally {
    line.end()
  }
}
