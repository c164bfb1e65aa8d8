/** The job of `score`. */

import { dirname, join, relative } from 'node:path'
import type { DeepLift } from '../model.js'
import type { StreamOptions } from '../options/score-options.js'
import { type ExampleJob, exampleJob } from './example-job.js'
import { exampleSources } from './example-sources.js'
import { loadModel } from './model-options.js'
import type { Parameters } from './parameters.js'
import { provenanceOf } from './provenance.js'
import { type ScoreArguments, scoreOptions, severalScored } from './score-arguments.js'
import { chooseFormat, createSink } from './sinks/formats.js'
import { openSource, type Source } from './source.js'
import { targetNames } from './targets.js'

export interface Scoring {
  model: DeepLift
  scoring: StreamOptions
  source: Source
}

/** Opens the model and the examples. The caller closes the source. */
export async function openScoring(
  path: string,
  options: ScoreArguments,
  signal: AbortSignal,
): Promise<Scoring> {
  const model = await loadModel(path, options)
  const scoring = scoreOptions(options, model)
  const { references, ...files } = exampleSources(options, scoring, model.inputs)
  const source = await openSource({ command: 'score', model, options, files, references, signal })
  return { model, scoring, source }
}

/** The caller closes the job. */
export async function openScoreJob(
  path: string,
  options: ScoreArguments,
  parameters: Parameters,
  signal: AbortSignal,
): Promise<ExampleJob & { scoring: StreamOptions }> {
  const format = chooseFormat(options)
  const { model, scoring, source } = await openScoring(path, options, signal)
  const { references, regions, policies } = source
  const choices: StreamOptions = { ...scoring, references, signal }
  const { compress = false, float16 = false } = options
  const job = exampleJob({
    ...{ command: 'score', path, parameters, source },
    settings: { references: options.reference ?? null, seed: options.seed, ...scoring },
    cost: (record) => model.scoreCost(record, choices),
    batches: (records, first, onProgress) =>
      model.stream(records, { ...choices, firstExample: (scoring.firstExample ?? 0) + first, onProgress }),
    createSink: async (out) =>
      createSink(format, {
        ...{ out, several: severalScored(scoring, model), compress, float16 },
        targets: targetNames(options),
        provenance: await provenanceOf({
          ...{ model: path, scoring, references: options.reference ?? [], seed: options.seed },
          ...(regions && { policies }),
        }),
        ...(regions && {
          genome: {
            // What leads from result files to the genome is relative to where they end up.
            path: join(dirname(out), relative(dirname(String(options.out)), regions.genome.path)),
            sizes: regions.genome.sizes,
          },
        }),
      }),
  })
  return { ...job, scoring }
}
