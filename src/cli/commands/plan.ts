/** `deeplift plan`: the folder of a job, whose blocks `shard` computes and `merge` joins. */

import type { Command } from 'commander'
import { usageOf } from '../arguments.js'
import { createReporter } from '../console.js'
import { interruption } from '../interruption.js'
import { noExamples } from '../jobs/job.js'
import { planJob } from '../jobs/plan.js'
import { addJobOptions } from '../long-run.js'
import { applyParameters, effectiveParameters } from '../parameters.js'
import { addScoreOptions, type ScoreArguments } from '../score-arguments.js'
import { openScoreJob } from '../score-job.js'
import { reportDropped } from '../windows.js'

interface Arguments extends ScoreArguments {
  restart?: boolean
  json?: boolean
}

export function addPlanCommand(program: Command): void {
  const command = program
    .command('plan')
    .description('cut scoring into blocks that any number of processes can compute')
    .argument('[model]', 'ONNX file')
  addJobOptions(addScoreOptions(command))
    .option('--json', 'print the plan as JSON')
    .action(async (argument: string | undefined) => {
      const [path] = await applyParameters(command, argument)
      const options = command.opts<Arguments>()
      if (options.out === undefined) throw usageOf('plan', 'say where the results go: --out FILE.')
      const reporter = createReporter(options.json === true)
      const interrupt = interruption()
      const job = await openScoreJob(path, options, effectiveParameters(command, path), interrupt.signal)
      try {
        const { regions } = job.source
        if (regions) reportDropped(regions.summary, regions.dropped, reporter)
        if (job.passes.some(({ examples }) => examples === 0)) throw noExamples()
        const planned = await planJob(job, { restart: options.restart === true, always: true })
        if (!planned) throw usageOf('plan', 'a pipe can be read only once: give the examples as a file.')
        const { folder, manifest } = planned
        const { passes, blocks } = manifest
        reporter.result(
          () =>
            passes
              .map((pass) => `${pass.examples} ${pass.unit} in ${pass.blocks} blocks of ${pass.blockSize}`)
              .join(', ')
              .concat(`: ${folder}`),
          { folder, blocks, passes },
        )
      } finally {
        interrupt.end()
        await job.close()
      }
    })
}
