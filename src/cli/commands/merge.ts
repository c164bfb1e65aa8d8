/** `deeplift merge`: the results of a job whose blocks are all computed. */

import { resolve } from 'node:path'
import type { Command } from 'commander'
import { createReporter } from '../console.js'
import { interruption } from '../interruption.js'
import { readManifest } from '../jobs/manifest.js'
import { mergeJob } from '../jobs/merge.js'
import { openPlanned } from '../jobs/openers.js'

export function addMergeCommand(program: Command): void {
  program
    .command('merge')
    .description('write the results of a job whose parts are all computed, and remove its folder')
    .argument('<job>', 'folder of the job')
    .option('--keep-job', 'keep the folder')
    .option('--json', 'print the summary as JSON')
    .action(async (argument: string, { keepJob, json }: { keepJob?: boolean; json?: boolean }) => {
      const folder = resolve(argument)
      const manifest = await readManifest(folder)
      const interrupt = interruption()
      const { signal } = interrupt
      try {
        const job = await openPlanned(folder, manifest, {}, signal)
        const { paths, facts } = await mergeJob(folder, manifest, job, {
          keep: keepJob === true,
          signal,
        }).finally(() => job.close())
        const all = manifest.passes.map(({ examples, unit }) => `${examples} ${unit}`)
        createReporter(json === true).result(() => `${all.join(', ')}: ${paths.join(', ')}`, {
          ...facts,
          files: paths,
        })
      } finally {
        interrupt.end()
      }
    })
}
