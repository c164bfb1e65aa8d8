/** Numbers that are read from outputs, as batches of a job. */

import type { Tensor } from '../tensor.js'
import type { Batch } from './jobs/job.js'
import type { ShownProgress } from './progress-line.js'

export interface ReadingBatch<R> extends Batch {
  records: R[]
  /** `[examples, numbers]`. */
  numbers: Tensor<Float64Array>
}

/** Few, for what waits for its batch is lost with the process. */
const ROWS = 32

/** @param first Number of the first row. */
export async function* readingBatches<R>(
  rows: AsyncIterable<{ record: R; numbers: readonly number[] }>,
  first: number,
): AsyncGenerator<ReadingBatch<R>> {
  let records: R[] = []
  let numbers: number[] = []
  const take = (): ReadingBatch<R> => {
    const data = Float64Array.from(numbers)
    const batch = { first, records, numbers: { data, shape: [records.length, data.length / records.length] } }
    first += records.length
    records = []
    numbers = []
    return batch
  }
  for await (const row of rows) {
    records.push(row.record)
    numbers.push(...row.numbers)
    if (records.length === ROWS) yield take()
  }
  if (records.length > 0) yield take()
}

/** The numbers of each record. */
export function* rowsOf<R>({ records, numbers: { data } }: Pick<ReadingBatch<R>, 'records' | 'numbers'>) {
  const size = data.length / records.length
  for (const [index, record] of records.entries())
    yield { record, numbers: data.subarray(index * size, (index + 1) * size) }
}

/** Progress in groups of `length` sequences, from that in sequences. */
export function perGroup(
  onProgress: (progress: ShownProgress) => void,
  length: number,
): (progress: ShownProgress) => void {
  return ({ done, perSecond, ...progress }) =>
    onProgress({ ...progress, done: Math.floor(done / length), perSecond: perSecond / length })
}
