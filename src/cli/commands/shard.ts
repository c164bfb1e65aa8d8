/** `deeplift shard`: one part of a planned job. Safe to repeat, and to run beside other parts. */

import { resolve } from 'node:path'
import type { Command } from 'commander'
import { createReporter } from '../console.js'
import { interruption } from '../interruption.js'
import { computeShare } from '../jobs/compute.js'
import { readManifest } from '../jobs/manifest.js'
import { openPlanned } from '../jobs/openers.js'
import { JobOutput } from '../jobs/output.js'
import { blocksOf, shareOf } from '../jobs/share.js'
import type { ModelArguments } from '../model-options.js'
import { type ProgressArguments, progressOption } from '../progress-line.js'
import { BATCH } from '../score-arguments.js'
import { rateText } from '../summary.js'

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
    .option('--batch <n>', BATCH)
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
  const interrupt = interruption()
  const { signal } = interrupt
  try {
    const job = await openPlanned(folder, manifest, options, signal)
    const output = new JobOutput(job, reporter, options)
    const started = performance.now()
    const work = { folder, manifest, job, signal, output }
    const kept = await computeShare(work, blocks).finally(() => job.close())
    const seconds = (performance.now() - started) / 1000
    const { computed, worstCompleteness, warnings } = output
    const rate = rateText(
      { examples: computed, seconds },
      manifest.passes.map(({ unit }) => unit).join(' and '),
    )
    reporter.result(
      () => `part ${share.index} of ${share.count}: ${rate}${kept > 0 ? `, ${kept} from before` : ''}`,
      {
        ...{ ...share, blocks, computed, kept, seconds, warnings },
        ...(worstCompleteness !== undefined && { worstCompleteness }),
      },
    )
  } finally {
    interrupt.end()
  }
}
