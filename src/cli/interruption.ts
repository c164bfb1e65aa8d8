/** Ctrl-C and SIGTERM as an AbortSignal. A second one ends the process at once. */

import { EXIT } from './exit-code.js'

export interface Interruption {
  signal: AbortSignal
  /** Gives the signals back to Node. */
  end(): void
}

export function interruption(): Interruption {
  const controller = new AbortController()
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(EXIT.aborted)
    controller.abort(new Error('interrupted'))
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
