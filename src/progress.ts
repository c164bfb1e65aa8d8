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

export class ProgressMeter {
  readonly #started = performance.now()
  #done = 0
  #worst = 0

  constructor(
    private readonly total: number | undefined,
    private readonly report: ((progress: Progress) => void) | undefined,
  ) {}

  get worst(): number {
    return this.#worst
  }

  /** Counts examples that are done, with the residuals of their scores if they were scored. */
  add(examples: number, completeness: Float64Array = new Float64Array()): void {
    this.#done += examples
    this.#worst = worstOf(completeness, this.#worst)
    if (!this.report) return
    const seconds = Math.max((performance.now() - this.#started) / 1000, 1e-9)
    const perSecond = this.#done / seconds
    this.report({
      done: this.#done,
      total: this.total,
      perSecond,
      etaSeconds: this.total === undefined ? undefined : Math.max(0, this.total - this.#done) / perSecond,
      worstCompleteness: this.#worst,
    })
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
