/**
 * Jobs: what a command computes for numbered examples, as it tells those who run the work, keep what is done of it, and
 * go on with it after the process was ended.
 */

import { DeepLiftError } from '../../errors.js'
import type { Cost } from '../../job.js'
import type { Parameters } from '../parameters.js'
import type { ShownProgress } from '../progress-line.js'

/** Examples from `first` on, without `end`. */
export interface Range {
  first: number
  end: number
}

export const ALL: Range = { first: 0, end: Number.POSITIVE_INFINITY }

/** Results of consecutive examples. Its tensors, also those in objects of it, have a row for each. */
export interface Batch {
  /** Number of the first example. */
  first: number
  records: unknown[]
  warnings?: readonly string[]
}

/** What is left of a batch when it was kept in a block. */
export type Results<B> = Omit<B, 'warnings' | 'worstCompleteness'>

/**
 * One walk over the examples. A batch must not depend on which examples are computed with it, or were before it: any
 * range gives the rows of the whole.
 */
export interface Pass<B extends Batch = Batch> {
  /** What progress counts. */
  unit: string
  /** Undefined if it is not known before they were all read, which can be done once. */
  examples: number | undefined
  /** Of one example. */
  cost(): Promise<Cost>
  compute(range: Range, onProgress: (progress: ShownProgress) => void): AsyncIterable<B>
  /** The records of batches, without what is only needed to compute them. */
  records(range: Range): AsyncIterable<B['records'][number]>
}

/** What decides the results, in the words of messages. */
export type Fact = readonly [what: string, value: unknown]

export interface Written {
  paths: readonly string[]
  /** What the summary says of the results. */
  facts: Readonly<Record<string, unknown>>
}

export type ResultsOf = <B extends Batch>(pass: Pass<B>) => AsyncIterable<Results<B>>

export interface Job {
  /** Its name. */
  command: string
  parameters: Parameters
  out: string
  passes: readonly Pass[]
  /** What lines of JSON say beside the progress. */
  facts: Readonly<Record<string, unknown>>
  /** Which examples have no results and why; of a pipe once it was read. */
  leftOut(): string | undefined
  /** Facts beside the version of the program and the parameters: contents of files. */
  identity(): Promise<Fact[]>
  /** Writes the results into `out` and what stands beside it; nothing is left if that fails. */
  write(out: string, results: ResultsOf): Promise<Written>
  close(): Promise<void>
}

export function noExamples(): DeepLiftError {
  return new DeepLiftError('INVALID_INPUT', 'There are no examples.')
}
