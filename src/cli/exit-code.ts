/** Exit codes of the command line, by kind of error. */

import type { DeepLiftErrorCode } from '../errors.js'

export const EXIT = {
  ok: 0,
  /** A defect of this package, or an installation that does not work. */
  internal: 1,
  /** A wrong argument or option. */
  usage: 2,
  /** A model, sequence or file that cannot be used. */
  input: 3,
  /** Interrupted (Ctrl-C). */
  aborted: 130,
  /** Ended by SIGTERM, as schedulers do. */
  terminated: 143,
} as const

const BY_CODE: Record<DeepLiftErrorCode, number> = {
  INVALID_MODEL: EXIT.input,
  UNSUPPORTED_OP: EXIT.input,
  UNSUPPORTED_MODEL: EXIT.input,
  EXTERNAL_DATA: EXIT.input,
  INVALID_INPUT: EXIT.input,
  INVALID_OPTION: EXIT.usage,
  INVALID_SEQUENCE: EXIT.input,
  FILE_NOT_FOUND: EXIT.input,
  FILE_FORMAT: EXIT.input,
  ABORTED: EXIT.aborted,
  INTERNAL: EXIT.internal,
  NATIVE_LOAD: EXIT.internal,
}

export function exitCodeOf(code: DeepLiftErrorCode): number {
  return BY_CODE[code]
}
