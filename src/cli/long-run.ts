/** Commands that run for long: parameters from a file too, progress, and an end by signals. */

import type { Command } from 'commander'
import { interruption } from './interruption.js'
import { applyParameters, effectiveParameters, type Parameters } from './parameters.js'
import { progressOption } from './progress-line.js'

/** Adds the options of progress and output, and runs the command on its model. */
export function addLongRun<Options extends object>(
  command: Command,
  run: (model: string, options: Options, parameters: Parameters, signal: AbortSignal) => Promise<void>,
): void {
  command
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
