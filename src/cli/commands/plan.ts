/** `deeplift plan`: the folder of a job, whose blocks `shard` computes and `merge` joins. */

import type { Command } from 'commander'
import { usageOf } from '../arguments.js'
import { createReporter } from '../console.js'
import { interruption } from '../interruption.js'
import { noExamples } from '../jobs/job.js'
import { JOBS, type JobCommand } from '../jobs/openers.js'
import { planJob } from '../jobs/plan.js'
import { addJobOptions } from '../long-run.js'
import { applyParameters, effectiveParameters } from '../parameters.js'

interface Arguments {
  out?: string
  restart?: boolean
  json?: boolean
}

/** The command that is planned where none is named. */
const DEFAULT = 'score'

export function addPlanCommand(program: Command): void {
  const plan = program
    .command('plan')
    .description('cut the work of a command into blocks that any number of processes can compute')
  for (const [name, job] of Object.entries(JOBS)) {
    const command = plan
      .command(name, { isDefault: name === DEFAULT })
      .description(`cut the work of ${name} into blocks${name === DEFAULT ? ' (the default)' : ''}`)
      .argument('[model]', 'ONNX file')
    addJobOptions(job.addOptions(command))
      .option('--json', 'print the plan as JSON')
      .action(async (model: string | undefined) => await planWork(command, job, model))
  }
}

async function planWork(command: Command, { open }: JobCommand, argument: string | undefined): Promise<void> {
  const [path] = await applyParameters(command, argument)
  const options = command.opts<Arguments>()
  const { out, restart = false, json = false } = options
  if (out === undefined) throw usageOf('plan', 'say where the results go: --out FILE.')
  const reporter = createReporter(json)
  const interrupt = interruption()
  try {
    const parameters = effectiveParameters(command, path)
    const job = await open(path, options as never, parameters, interrupt.signal)
    try {
      const leftOut = job.leftOut()
      if (leftOut !== undefined) reporter.warn(leftOut)
      if (job.passes.some(({ examples }) => examples === 0)) throw noExamples()
      const planned = await planJob(job, { restart, always: true })
      if (!planned) throw usageOf('plan', 'a pipe can be read only once: give the examples as a file.')
      const { folder, manifest } = planned
      const { passes, blocks } = manifest
      const parts = passes.map(
        (pass) => `${pass.examples} ${pass.unit} in ${pass.blocks} blocks of ${pass.blockSize}`,
      )
      reporter.result(() => `${parts.join(', ')}: ${folder}`, { folder, blocks, passes })
    } finally {
      await job.close()
    }
  } finally {
    interrupt.end()
  }
}
