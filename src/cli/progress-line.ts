/** One line on stderr that says how far a job is: rewritten in place on a terminal, now and then elsewhere. */

import type { Progress } from '../progress.js'

/** Milliseconds between two updates. */
const INTERVAL = { terminal: 100, log: 10_000 }

export class ProgressLine {
  /** Number of examples, as soon as it is known. */
  total: number | undefined
  readonly #terminal = process.stderr.isTTY === true
  #shown = performance.now()
  #visible = false

  constructor(
    private readonly unit: string,
    private readonly quiet: boolean,
  ) {}

  update(progress: Progress): void {
    if (this.quiet) return
    const now = performance.now()
    if (now - this.#shown < (this.#terminal ? INTERVAL.terminal : INTERVAL.log)) return
    this.#shown = now
    const text = describeProgress(progress, this.total ?? progress.total, this.unit)
    process.stderr.write(this.#terminal ? `\r\x1b[2K${text}` : `${text}\n`)
    this.#visible = this.#terminal
  }

  /** Clears the line, so that what comes next stands alone. */
  end(): void {
    if (this.#visible) process.stderr.write('\r\x1b[2K')
    this.#visible = false
  }
}

export function describeProgress(progress: Progress, total: number | undefined, unit: string): string {
  const { done, perSecond, worstCompleteness } = progress
  const parts = [total === undefined ? `${done} ${unit}` : `${done}/${total} ${unit}`]
  if (total !== undefined && total > 0) parts.push(`${Math.floor((100 * done) / total)}%`)
  parts.push(`${perSecond >= 10 ? perSecond.toFixed(0) : perSecond.toPrecision(2)}/s`)
  if (total !== undefined) parts.push(`${duration(Math.max(0, total - done) / perSecond)} left`)
  parts.push(`worst completeness ${worstCompleteness.toExponential(1)}`)
  return parts.join('  ')
}

/** `1 h 05 min`, `3 min 20 s`, `12 s`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  const pad = (value: number) => String(value).padStart(2, '0')
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`
  return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`
}
