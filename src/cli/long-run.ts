/** Commands that run for long: parameters from a file too, blocks, progress, and an end by signals. */

import type { Command } from 'commander'
import { interruption } from './interruption.js'
import { applyParameters, effectiveParameters, type Parameters } from './parameters.js'
import { progressOption } from './progress-line.js'

/** How work is cut into blocks, and what happens to those of an earlier run. */
export function addJobOptions(command: Command): Command {
  return command
    .option('--block <n>', 'examples that are computed and kept together (default: from their size and cost)')
    .option('--restart', 'discard an unfinished job of the same --out')
}

/** Adds the options of progress and output, and runs the command on its model. */
export function addLongRun<Options extends object>(
  command: Command,
  run: (model: string, options: Options, parameters: Parameters, signal: AbortSignal) => Promise<void>,
): void {
  addJobOptions(command)
    .option('--keep-job', 'keep the blocks that results are made of')
    .addOption(progressOption())
    .option('--quiet', 'no progress')
    .option('--json', 'print the summary as JSON')
    .action(async (argument: string | undefined) => {
      const [model] = await applyParameters(command, argument)
      const interrupt = interruption()
      try {
        await run(model, command.opts<Options>(), effectiveParameters(command, model), interrupt.signal)
      } finally {
        interrupt.end()
      }
    })
}
