#!/usr/bin/env node
/**
 * The command line. Results go to stdout, progress, warnings and errors to stderr.
 *
 * Exit codes: 0 done, 1 a defect or a broken installation, 2 a wrong argument or option, 3 a model or file that
 * cannot be used, 130 interrupted, 143 ended by SIGTERM.
 */

import { createRequire } from 'node:module'
import { Command, CommanderError } from 'commander'
import { DeepLiftError } from '../errors.js'
import { addDoctorCommand } from './commands/doctor.js'
import { addInspectCommand } from './commands/inspect.js'
import { addScoreCommand } from './commands/score.js'
import { EXIT, exitCodeOf } from './exit-code.js'
import { Interrupted } from './interruption.js'

const { version } = createRequire(import.meta.url)('#package') as { version: string }

function createProgram(): Command {
  const program = new Command('deeplift')
    .description('DeepLIFT contribution scores of ONNX models')
    .version(version)
    .showSuggestionAfterError()
    .exitOverride()
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 a defect or a broken installation, 2 a wrong argument or option,\n' +
        '3 a model or file that cannot be used, 130 interrupted, 143 ended by SIGTERM.',
    )
  addInspectCommand(program)
  addScoreCommand(program)
  addDoctorCommand(program)
  for (const command of program.commands) command.exitOverride()
  return program
}

function report(error: unknown, json: boolean): number {
  // commander has printed its own message, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  if (error instanceof DeepLiftError) {
    const { code, message, details, cause } = error
    if (json) process.stdout.write(`${JSON.stringify({ error: { code, message, details } }, null, 2)}\n`)
    else process.stderr.write(`error: ${message}\n`)
    return cause instanceof Interrupted ? cause.exitCode : exitCodeOf(code)
  }
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  process.stderr.write('This is a defect of deeplift: please report it.\n')
  return EXIT.internal
}

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok)
  throw error
})

createProgram()
  .parseAsync()
  .catch((error: unknown) => {
    process.exitCode = report(error, process.argv.includes('--json'))
  })
