/** `deeplift shard`: one part of a planned job. Safe to repeat, and to run beside other parts. */

import { resolve } from 'node:path'
import type { Command } from 'commander'
import { createReporter } from '../console.js'
import { interruption } from '../interruption.js'
import { readManifest } from '../jobs/manifest.js'
import { blocksOf, shareOf } from '../jobs/share.js'
import { checkUnchanged, computeShare, openJob } from '../jobs/work.js'
import type { ModelArguments } from '../model-options.js'
import { type ProgressArguments, progressOption } from '../progress-line.js'
import type { ScoreArguments } from '../score-arguments.js'
import { rateLine } from '../summary.js'

interface Arguments extends ModelArguments, ProgressArguments {
  index?: string
  count?: string
  batch?: string
  json?: boolean
}

export function addShardCommand(program: Command): void {
  program
    .command('shard')
    .description('compute one part of a planned job: the blocks of it that are missing')
    .argument('<job>', 'folder of the job')
    .option(
      '--index <n>',
      'which part, from 0 (default: the array index of Slurm, AWS Batch or Kubernetes, or 0)',
    )
    .option('--count <n>', 'how many parts, the same for all (default: the size of that array, or 1)')
    .option('--threads <n>', 'threads that compute (default: those that the system offers)')
    .option('--memory <amount>', "memory for activations, such as 2GB or 512MiB (default: '1GB')")
    .option('--batch <n>', 'examples per native call; has no effect on any number')
    .addOption(progressOption())
    .option('--quiet', 'no progress')
    .option('--json', 'print the summary as JSON')
    .action(shard)
}

async function shard(argument: string, { index, count, ...options }: Arguments): Promise<void> {
  const reporter = createReporter(options.json === true)
  const folder = resolve(argument)
  const manifest = await readManifest(folder)
  const share = shareOf(
    { ...(index !== undefined && { index }), ...(count !== undefined && { count }) },
    process.env,
  )
  const blocks = blocksOf(share, manifest.blocks)
  // Paths among the parameters are as they were given there.
  process.chdir(manifest.folder)
  const { parameters } = manifest
  const job = await openJob(String(parameters.model), {
    ...parameters,
    ...options,
  } as unknown as ScoreArguments)
  const interrupt = interruption()
  try {
    await checkUnchanged(manifest, job)
    const started = performance.now()
    const output = { reporter, progress: options, signal: interrupt.signal }
    const { computed, kept, worstCompleteness, warnings } = await computeShare(
      folder,
      manifest,
      job,
      blocks,
      output,
    )
    const seconds = (performance.now() - started) / 1000
    const rate = rateLine({ examples: computed, seconds, worstCompleteness }, 'regions', job.scoring)
    reporter.result(
      () => `part ${share.index} of ${share.count}: ${rate}${kept > 0 ? `, ${kept} from before` : ''}`,
      { ...share, blocks, computed, kept, seconds, worstCompleteness, warnings },
    )
  } finally {
    interrupt.end()
    await job.genome.close()
  }
}
