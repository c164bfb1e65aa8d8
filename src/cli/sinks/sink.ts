/** Where scores go: files that appear under their names only when all scores are in them. */

import type { TensorRecord } from '../../records.js'
import type { ScoreBatch } from '../../stream.js'

export interface Sink {
  /** The files that `finish` leaves. */
  readonly paths: readonly string[]
  write(batch: ScoreBatch<TensorRecord>): Promise<void>
  finish(): Promise<void>
  /** Removes everything written so far. Safe to call at any time. */
  abort(): Promise<void>
}
