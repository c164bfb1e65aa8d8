/** Ctrl-C and SIGTERM as an AbortSignal. A second one ends the process at once. */

import { EXIT } from './exit-code.js'

/** Why a command was aborted: the reason of its signal. */
export class Interrupted extends Error {
  readonly exitCode: number

  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super(`interrupted by ${signal}`)
    this.exitCode = signal === 'SIGTERM' ? EXIT.terminated : EXIT.aborted
  }
}

export interface Interruption {
  signal: AbortSignal
  /** Gives the signals back to Node. */
  end(): void
}

export function interruption(): Interruption {
  const controller = new AbortController()
  const onSignal = (signal: 'SIGINT' | 'SIGTERM') => {
    const reason = new Interrupted(signal)
    if (controller.signal.aborted) process.exit(reason.exitCode)
    controller.abort(reason)
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return {
    signal: controller.signal,
    end() {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    },
  }
}
