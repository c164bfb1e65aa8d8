/**
 * How far a job is, on stderr: one line that is rewritten in place on a terminal and added now and then elsewhere, or
 * lines of JSON for programs.
 */

import { Option } from 'commander'
import type { Progress, RunProgress } from '../progress.js'

export const PROGRESS = ['text', 'json', 'none'] as const
export type ProgressMode = (typeof PROGRESS)[number]

/** Milliseconds between two updates. */
const INTERVAL = { terminal: 100, log: 10_000, json: 1000 }

/** Residuals go with scores only. */
export type ShownProgress = RunProgress & Partial<Pick<Progress, 'worstCompleteness'>>

export interface ProgressArguments {
  progress?: string
  quiet?: boolean
}

export function progressOption(): Option {
  return new Option('--progress <how>', 'text, or lines of JSON on stderr, or none (as --quiet)')
    .choices(PROGRESS)
    .default('text')
}

export class ProgressLine {
  /** Number of examples, as soon as it is known. */
  total: number | undefined
  /** What lines of JSON say beside the progress. */
  facts: Readonly<Record<string, unknown>> = {}
  readonly #mode: ProgressMode
  readonly #terminal = process.stderr.isTTY === true
  #shown = performance.now()
  #last: ShownProgress | undefined
  #visible = false

  constructor(
    private readonly unit: string,
    { progress = 'text', quiet = false }: ProgressArguments,
  ) {
    this.#mode = quiet ? 'none' : (progress as ProgressMode)
  }

  update(progress: ShownProgress): void {
    if (this.#mode === 'none') return
    this.#last = progress
    const now = performance.now()
    const kind = this.#mode === 'json' ? 'json' : this.#terminal ? 'terminal' : 'log'
    if (now - this.#shown < INTERVAL[kind]) return
    this.#shown = now
    this.#show(progress)
  }

  #show(progress: ShownProgress): void {
    this.#last = undefined
    const total = this.total ?? progress.total
    if (this.#mode === 'json') {
      const { done, perSecond, worstCompleteness } = progress
      const etaSeconds = total === undefined ? null : Math.max(0, total - done) / perSecond
      const line = { done, total: total ?? null, perSecond, etaSeconds, worstCompleteness, ...this.facts }
      process.stderr.write(`${JSON.stringify({ progress: line })}\n`)
      return
    }
    const text = describeProgress(progress, total, this.unit)
    process.stderr.write(this.#terminal ? `\r\x1b[2K${text}` : `${text}\n`)
    this.#visible = this.#terminal
  }

  /** Clears the line, so that what comes next stands alone; lines of JSON end with the last state. */
  end(): void {
    if (this.#mode === 'json' && this.#last) this.#show(this.#last)
    if (this.#visible) process.stderr.write('\r\x1b[2K')
    this.#visible = false
  }
}

export function describeProgress(progress: ShownProgress, total: number | undefined, unit: string): string {
  const { done, perSecond, worstCompleteness } = progress
  const parts = [total === undefined ? `${done} ${unit}` : `${done}/${total} ${unit}`]
  if (total !== undefined && total > 0) parts.push(`${Math.floor((100 * done) / total)}%`)
  parts.push(`${perSecond >= 10 ? perSecond.toFixed(0) : perSecond.toPrecision(2)}/s`)
  if (total !== undefined) parts.push(`${duration(Math.max(0, total - done) / perSecond)} left`)
  if (worstCompleteness !== undefined) parts.push(`worst completeness ${worstCompleteness.toExponential(1)}`)
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
