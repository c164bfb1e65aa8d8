/** How far a job is, and when it will be done. */

export interface RunProgress {
  /** Examples finished. */
  done: number
  /** Examples in all; undefined for streams of unknown length. */
  total: number | undefined
  perSecond: number
  /** Seconds left at the rate so far; undefined where the total is. */
  etaSeconds: number | undefined
}

/** Of scores. */
export interface Progress extends RunProgress {
  /** Largest completeness residual so far. */
  worstCompleteness: number
}

/** Counts examples that are done. */
export class RunMeter {
  readonly #started = performance.now()
  #done = 0

  constructor(private readonly total: number | undefined) {}

  /** The progress after so many more. */
  count(examples: number): RunProgress {
    this.#done += examples
    const seconds = Math.max((performance.now() - this.#started) / 1000, 1e-9)
    const perSecond = this.#done / seconds
    return {
      done: this.#done,
      total: this.total,
      perSecond,
      etaSeconds: this.total === undefined ? undefined : Math.max(0, this.total - this.#done) / perSecond,
    }
  }
}

/** Counts examples that are scored, and keeps the worst of their residuals. */
export class ProgressMeter {
  readonly #run: RunMeter
  #worst = 0

  constructor(
    total: number | undefined,
    private readonly report: ((progress: Progress) => void) | undefined,
  ) {
    this.#run = new RunMeter(total)
  }

  get worst(): number {
    return this.#worst
  }

  add(examples: number, completeness: Float64Array): void {
    this.#worst = worstOf(completeness, this.#worst)
    this.report?.({ ...this.#run.count(examples), worstCompleteness: this.#worst })
  }
}

/** The largest residual, NaN being worse than any. */
export function worstOf(completeness: Float64Array, worst = 0): number {
  for (const residual of completeness) {
    if (Number.isNaN(worst)) break
    if (!(residual <= worst)) worst = residual
  }
  return worst
}
