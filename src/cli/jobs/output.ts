/** What a job says while it computes: progress of its passes, and each warning once. */

import type { Reporter } from '../console.js'
import { type ProgressArguments, ProgressLine, type ShownProgress } from '../progress-line.js'
import type { Batch, Job, Pass } from './job.js'

export interface Watched {
  /** Examples that were there before. */
  kept?: number
  /** Examples there will be, if that is known. */
  total: number | undefined
}

export class JobOutput {
  /** Examples that were computed. */
  computed = 0
  worstCompleteness: number | undefined
  readonly #warnings = new Set<string>()
  #line: ProgressLine | undefined

  constructor(
    private readonly job: Job,
    private readonly reporter: Reporter,
    private readonly progress: ProgressArguments,
  ) {}

  get warnings(): string[] {
    return [...this.#warnings]
  }

  warn(message: string): void {
    if (this.#warnings.has(message)) return
    this.#warnings.add(message)
    this.#line?.end()
    this.reporter.warn(message)
  }

  warnOfLeftOut(): void {
    const message = this.job.leftOut()
    if (message !== undefined) this.warn(message)
  }

  /** What is said once, and is no warning. */
  note(message: string): void {
    this.reporter.note(message)
  }

  /** The batches of a pass, as they are computed. */
  async *watch<B extends Batch>(
    pass: Pass<B>,
    compute: (onProgress: (progress: ShownProgress) => void) => AsyncIterable<B>,
    { kept = 0, total }: Watched,
  ): AsyncGenerator<B> {
    const line = new ProgressLine(pass.unit, this.progress)
    this.#line = line
    line.total = total
    line.facts = this.job.facts
    const onProgress = (progress: ShownProgress) => {
      const { worstCompleteness } = progress
      if (worstCompleteness !== undefined)
        this.worstCompleteness = Math.max(this.worstCompleteness ?? 0, worstCompleteness)
      line.update({ ...progress, done: kept + progress.done })
    }
    try {
      for await (const batch of compute(onProgress)) {
        for (const warning of batch.warnings ?? []) this.warn(warning)
        yield batch
        this.computed += batch.records.length
      }
    } finally {
      line.end()
      this.#line = undefined
    }
  }
}
