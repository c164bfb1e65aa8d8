/** `deeplift merge`: the results of a job whose blocks are all computed. */

import { resolve } from 'node:path'
import type { Command } from 'commander'
import { createReporter } from '../console.js'
import { interruption } from '../interruption.js'
import { readManifest } from '../jobs/manifest.js'
import { mergeJob } from '../jobs/merge.js'

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
      // Paths among the parameters are as they were given there.
      process.chdir(manifest.folder)
      const interrupt = interruption()
      const { signal } = interrupt
      const merged = await mergeJob(folder, manifest, { keep: keepJob === true, signal }).finally(() =>
        interrupt.end(),
      )
      const { paths, worstCompleteness, unknown } = merged
      createReporter(json === true).result(
        () =>
          `${manifest.regions.kept} regions, worst completeness ${worstCompleteness.toExponential(1)}: ${paths.join(', ')}`,
        {
          examples: manifest.regions.kept,
          worstCompleteness,
          withUnknownBases: unknown,
          regions: manifest.regions,
          files: paths,
        },
      )
    })
}
