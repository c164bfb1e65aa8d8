/** `deeplift plan`: the folder of a job, whose blocks `shard` computes and `merge` joins. */

import type { Command } from 'commander'
import { usageOf } from '../arguments.js'
import { createReporter } from '../console.js'
import { planJob } from '../jobs/plan.js'
import { openJob } from '../jobs/work.js'
import { applyParameters, effectiveParameters } from '../parameters.js'
import { addScoreOptions, type ScoreArguments } from '../score-arguments.js'
import { reportDropped } from '../streamed.js'
import { version } from '../version.js'

interface Arguments extends ScoreArguments {
  restart?: boolean
  json?: boolean
}

export function addPlanCommand(program: Command): void {
  const command = program
    .command('plan')
    .description('cut the scoring of regions into blocks that any number of processes can compute')
    .argument('[model]', 'ONNX file')
  addScoreOptions(command)
    .option('--restart', 'discard an unfinished job of the same --out')
    .option('--json', 'print the plan as JSON')
    .action(async (argument: string | undefined) => {
      const [path] = await applyParameters(command, argument)
      const options = command.opts<Arguments>()
      if (options.bed === undefined || options.out === undefined)
        throw usageOf(
          'plan',
          'give the regions as --bed FILE --genome FILE, and where results go as --out FILE.',
        )
      const reporter = createReporter(options.json === true)
      const job = await openJob(path, options)
      const parameters = effectiveParameters(command, path)
      const request = { ...job, parameters, modelPath: path, version, restart: options.restart === true }
      const planned = await planJob(request).finally(() => job.genome.close())
      reportDropped({ ...planned.manifest.regions, dropped: planned.dropped }, reporter)
      const { folder, manifest } = planned
      const { blocks, blockSize, regions } = manifest
      reporter.result(
        () =>
          `${regions.kept} regions of ${manifest.length} bases in ${blocks} blocks of ${blockSize}: ${folder}`,
        { folder, blocks, blockSize, regions, length: manifest.length },
      )
    })
}
