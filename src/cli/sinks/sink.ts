/** Where results go: files that appear under their names only when all results are in them. */

import type { FileOptions } from '../../formats/rows.js'
import type { Region } from '../../genomics/region.js'
import type { TensorRecord } from '../../records.js'
import type { ScoreBatch } from '../../stream.js'
import type { Results } from '../jobs/job.js'

/** An example of a job, with the region it comes from if there is one. */
export interface ScoredRecord extends TensorRecord {
  region?: Region
}

/** Scores of consecutive examples. */
export type ScoredBatch = Results<ScoreBatch<ScoredRecord>>

/** @typeParam B What a batch of results is. */
export interface Sink<B = ScoredBatch> {
  /** The files that `finish` leaves. */
  readonly paths: readonly string[]
  /** Batches come in order and may be reused once the promise resolves. */
  write(batch: B): Promise<void>
  finish(): Promise<void>
  /** Removes everything written so far. Safe to call at any time. */
  abort(): Promise<void>
}

/** What a sink knows of its job before the first batch. */
export interface SinkContext extends FileOptions {
  /** The file to write, or the beginning of the names of several. */
  out: string
  /** Whether several inputs or layers are scored, so that keys name them. */
  several: boolean
  /** Names of several targets, in the order of their axis. */
  targets?: readonly string[]
  /** Of examples that are regions. */
  genome?: { path: string; sizes: ReadonlyMap<string, number> }
}

/** Several sinks that get the same batches. */
export class SinkGroup<B = ScoredBatch> implements Sink<B> {
  constructor(private readonly sinks: readonly Sink<B>[]) {}

  get paths(): readonly string[] {
    return this.sinks.flatMap(({ paths }) => paths)
  }

  async write(batch: B): Promise<void> {
    for (const sink of this.sinks) await sink.write(batch)
  }

  async finish(): Promise<void> {
    for (const sink of this.sinks) await sink.finish()
  }

  async abort(): Promise<void> {
    for (const sink of this.sinks) await sink.abort()
  }
}
