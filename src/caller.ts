/** Errors that arise later, elsewhere, shown with the line of the caller that asked for the work. */

import { DeepLiftError } from './errors.js'

/** The stack of whoever called `entry`, a public function that is running now. */
export function callerOf(entry: (...args: never[]) => unknown): string {
  const here: { stack?: string } = {}
  Error.captureStackTrace(here, entry)
  return (here.stack ?? '').replace(/^[^\n]*\n?/, '')
}

/** Points the stack of our own errors at the caller; errors of others (a source, a callback) stay as they are. */
export function blame(error: unknown, caller: string): unknown {
  if (error instanceof DeepLiftError)
    error.stack = `${error.name} [${error.code}]: ${error.message}\n${caller}`
  return error
}

export function aborted(what: string, signal: AbortSignal): DeepLiftError {
  return new DeepLiftError('ABORTED', `${what} was aborted.`, { cause: signal.reason })
}
