/** Batches as they are computed, into the sink that takes them. */

import type { Reporter } from './console.js'
import type { ProgressLine } from './progress-line.js'
import type { ScoredRecord, Sink } from './sinks/sink.js'

export interface StreamedBatch {
  records: ScoredRecord[]
  warnings?: readonly string[]
}

/** Writes all batches; each warning is shown once, on a line of its own. The caller finishes the sink. */
export async function writeBatches<B extends StreamedBatch>(
  batches: AsyncIterable<B>,
  sink: Sink<B>,
  line: ProgressLine,
  reporter: Reporter,
): Promise<{ done: number; warnings: string[] }> {
  let done = 0
  const warned = new Set<string>()
  try {
    for await (const batch of batches) {
      for (const warning of batch.warnings ?? []) {
        if (warned.has(warning)) continue
        warned.add(warning)
        line.end()
        reporter.warn(warning)
      }
      await sink.write(batch)
      done += batch.records.length
    }
  } finally {
    line.end()
  }
  return { done, warnings: [...warned] }
}
