#!/usr/bin/env node
/**
 * The command line. Results go to stdout, progress, warnings and errors to stderr.
 *
 * Exit codes: 0 done, 1 a defect or a broken installation, 2 a wrong argument or option, 3 a model or file that
 * cannot be used, 130 interrupted, 143 ended by SIGTERM.
 */

import { CommanderError } from 'commander'
import { DeepLiftError } from '../errors.js'
import { EXIT, exitCodeOf } from './exit-code.js'
import { Interrupted } from './interruption.js'
import { createProgram } from './program.js'

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
