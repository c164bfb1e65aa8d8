/**
 * A sequence logo of contribution scores as SVG: each base is a letter as tall as its score, above the axis if
 * it is positive and, upside down, below it if it is negative.
 *
 * The picture is self-contained: no fonts for the letters, no ids, no styles that could touch a page around it.
 */

import { DeepLiftError } from '../errors.js'
import { ticks } from './axis.js'
import { BASE_COLOURS, GLYPHS } from './glyphs.js'

export interface LogoOptions {
  /** One base per position: A 0, C 1, G 2, T 3, unknown 4. */
  codes: Uint8Array
  /** One score per position: the contribution of the base present. */
  scores: Float32Array | Float64Array | readonly number[]
  /** 0-based coordinate of the first position, for the axis. Default 0. */
  start?: number
  title?: string
  /** Label of the score axis. Default `'contribution'`. */
  scoreLabel?: string
  /** Pixels. Default 14 per position, within 480 to 1600. */
  width?: number
  /** Pixels. Default 200. */
  height?: number
  /** Lowest and highest score of the axis, to draw several logos to one scale. Default: that of the scores. */
  range?: readonly [number, number]
  /** Named stretches `[start, end)` in the coordinates of the axis. Parts outside the window are cut off. */
  motifs?: readonly { start: number; end: number; label: string }[]
}

const MARGIN = { left: 66, right: 14, bottom: 24 }
const TITLE_HEIGHT = 24
const MOTIF_HEIGHT = 20
const TOP_PADDING = 8

const INK = '#333333'
const MOTIF_COLOUR = '#6b4fa0'
const FONT = 'font-family="Helvetica, Arial, sans-serif"'

/** Letters leave a little air between them, as a share of a position. */
const LETTER_WIDTH = 0.92

/** Room beyond the tallest letter, as a share of the range. */
const HEADROOM = 0.05

/** Scores that all lie closer to 0 are drawn as none: their axis would leave the range of normal numbers. */
const SMALLEST_RANGE = 1e-290

/** The largest magnitude of a score; differences of scores have to stay finite. */
const LARGEST_SCORE = 1e300

interface Frame {
  left: number
  right: number
  top: number
  bottom: number
  /** Pixel of a coordinate of the sequence. */
  x(position: number): number
  /** Pixel of a score. */
  y(score: number): number
}

/** An SVG document. */
export function contributionLogo(options: LogoOptions): string {
  validate(options)
  const { codes, start = 0, title, motifs = [], scoreLabel = 'contribution' } = options
  const width = options.width ?? Math.min(1600, Math.max(480, 14 * codes.length + MARGIN.left + MARGIN.right))
  const height = options.height ?? 200
  const [low, high] = options.range ?? rangeOf(options.scores)

  const left = MARGIN.left
  const right = width - MARGIN.right
  const top = TOP_PADDING + (title ? TITLE_HEIGHT : 0) + (motifs.length > 0 ? MOTIF_HEIGHT : 0)
  const bottom = height - MARGIN.bottom
  const frame: Frame = {
    left,
    right,
    top,
    bottom,
    x: (position) => left + ((position - start) / codes.length) * (right - left),
    y: (score) => bottom - ((score - low) / (high - low)) * (bottom - top),
  }

  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"` +
      ` role="img" aria-label="${escapeXml(title ?? 'Sequence logo of contribution scores')}">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...(title ? [text(left, TOP_PADDING + 13, title, 'font-size="14" font-weight="bold"')] : []),
    ...motifMarks(frame, options),
    ...scoreAxis(frame, low, high, scoreLabel),
    ...letters(frame, options),
    ...positionAxis(frame, start, codes.length),
    '</svg>',
    '',
  ].join('\n')
}

function letters(frame: Frame, { codes, scores, start = 0 }: LogoOptions): string[] {
  const pitch = frame.x(start + 1) - frame.x(start)
  const width = pitch * LETTER_WIDTH
  const zero = frame.y(0)
  const drawn: string[] = []
  for (const [index, code] of codes.entries()) {
    const tip = frame.y(scores[index]!)
    // A tenth of a pixel cannot be seen; long windows are mostly such positions.
    if (Math.abs(tip - zero) < 0.1) continue
    const x = frame.x(start + index) + (pitch - width) / 2
    // The box runs from the tip to the axis; below the axis its height is negative, which turns the letter over.
    const transform = `translate(${round(x)} ${round(tip)})scale(${round(width)} ${round(zero - tip)})`
    drawn.push(`<path fill="${BASE_COLOURS[code]}" transform="${transform}" d="${GLYPHS[code]}"/>`)
  }
  return drawn
}

function scoreAxis(frame: Frame, low: number, high: number, label: string): string[] {
  const { left, right, top, bottom } = frame
  const zero = round(frame.y(0))
  const middle = round((top + bottom) / 2)
  const marks = ticks(low, high, Math.max(2, (bottom - top) / 24)).flatMap(({ value, label: number }) => {
    const y = round(frame.y(value))
    return [line(left - 4, y, left, y), text(left - 7, y + 3.5, number, 'font-size="10" text-anchor="end"')]
  })
  return [
    line(left, top, left, bottom),
    ...marks,
    line(left, zero, right, zero, '#999999'),
    text(14, middle, label, `font-size="11" text-anchor="middle" transform="rotate(-90 14 ${middle})"`),
  ]
}

function positionAxis(frame: Frame, start: number, length: number): string[] {
  const { left, right, bottom } = frame
  // A tick stands at the middle of the base it names.
  const marks = ticks(start, start + length - 1, (right - left) / 80, 1).flatMap(({ value, label }) => {
    const x = round(frame.x(value + 0.5))
    return [
      line(x, bottom, x, bottom + 4),
      text(x, bottom + 15, label, 'font-size="10" text-anchor="middle"'),
    ]
  })
  return [line(left, bottom, right, bottom), ...marks]
}

function motifMarks(frame: Frame, { codes, motifs = [], start = 0 }: LogoOptions): string[] {
  return motifs.flatMap((motif) => {
    const from = Math.max(motif.start, start)
    const to = Math.min(motif.end, start + codes.length)
    if (from >= to) return []
    const x = round(frame.x(from))
    const width = round(frame.x(to) - frame.x(from))
    const { top, bottom } = frame
    const box = `x="${x}" width="${width}" fill="${MOTIF_COLOUR}"`
    return [
      `<rect ${box} y="${top}" height="${bottom - top}" opacity="0.1"/>`,
      `<rect ${box} y="${top - 3}" height="3"/>`,
      text(x + width / 2, top - 7, motif.label, 'font-size="11" text-anchor="middle"', MOTIF_COLOUR),
    ]
  })
}

function rangeOf(scores: LogoOptions['scores']): [number, number] {
  let low = 0
  let high = 0
  for (const score of scores) {
    low = Math.min(low, score)
    high = Math.max(high, score)
  }
  if (high - low < SMALLEST_RANGE) return [-1, 1]
  const headroom = HEADROOM * (high - low)
  return [low < 0 ? low - headroom : 0, high > 0 ? high + headroom : 0]
}

function validate({ codes, scores, start = 0, width, height, range }: LogoOptions): void {
  const refuse = (code: 'INVALID_INPUT' | 'INVALID_OPTION', problem: string): never => {
    throw new DeepLiftError(code, `A logo cannot be drawn: ${problem}.`)
  }
  if (codes.length === 0) refuse('INVALID_INPUT', 'there are no positions')
  if (codes.length !== scores.length)
    refuse('INVALID_INPUT', `there are ${codes.length} bases and ${scores.length} scores`)
  for (const [index, code] of codes.entries()) {
    if (code >= GLYPHS.length)
      refuse('INVALID_INPUT', `position ${index} has the code ${code}; codes are 0 to 4`)
    if (!Number.isFinite(scores[index]))
      refuse('INVALID_INPUT', `the score of position ${index} is ${scores[index]}`)
  }
  if (!Number.isSafeInteger(start)) refuse('INVALID_OPTION', `start is a whole number, not ${start}`)
  if (width !== undefined && !(width >= 160)) refuse('INVALID_OPTION', `width is at least 160, not ${width}`)
  if (height !== undefined && !(height >= 100))
    refuse('INVALID_OPTION', `height is at least 100, not ${height}`)
  if (
    range &&
    !(
      range[0] <= 0 &&
      range[1] >= 0 &&
      range[1] - range[0] >= SMALLEST_RANGE &&
      range.every((end) => Math.abs(end) <= LARGEST_SCORE)
    )
  )
    refuse('INVALID_OPTION', `range is [lowest, highest] around 0, not [${range.join(', ')}]`)
}

function line(x1: number, y1: number, x2: number, y2: number, colour = INK): string {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}"/>`
}

function text(x: number, y: number, content: string, attributes: string, colour = INK): string {
  return `<text x="${round(x)}" y="${round(y)}" fill="${colour}" ${FONT} ${attributes}>${escapeXml(content)}</text>`
}

function escapeXml(content: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return content.replace(/[&<>"]/g, (character) => entities[character]!)
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
