/** Errors in the middle of a job, with what is not lost and how to go on. */

import { DeepLiftError } from '../../errors.js'

export function withAdvice(error: unknown, done: string): unknown {
  if (!(error instanceof DeepLiftError)) return error
  const { code, cause, details } = error
  const message = code === 'ABORTED' ? 'Interrupted.' : error.message
  return new DeepLiftError(code, `${message} ${done}: the same command goes on from there.`, {
    ...(details && { details }),
    ...(cause !== undefined && { cause }),
  })
}
