import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ticks } from '../../src/output/axis.js'
import { BASE_COLOURS, GLYPHS } from '../../src/output/glyphs.js'
import { contributionLogo, type LogoOptions } from '../../src/output/logo.js'

/** The letters of a logo as they were drawn: base code, left edge, tip, size in pixels. */
function lettersOf(svg: string) {
  return [
    ...svg.matchAll(/<path fill="(.*?)" transform="translate\((\S+) (\S+)\)scale\((\S+) (\S+)\)" d="(.*?)"/g),
  ].map(([, fill, x, y, width, height, d]) => ({
    code: BASE_COLOURS.indexOf(fill!),
    glyph: GLYPHS.indexOf(d!),
    x: Number(x),
    tip: Number(y),
    width: Number(width),
    height: Number(height),
  }))
}

const logo = (options: Partial<LogoOptions>) =>
  contributionLogo({ codes: Uint8Array.of(0, 1, 2, 3, 4), scores: [1, 2, -1, 0, 0.5], ...options })

describe('contributionLogo', () => {
  it('draws each base in its colour, as tall as its score, negative ones turned over below the axis', () => {
    const letters = lettersOf(logo({ range: [-2, 2], height: 132, width: 480 }))
    // 132 less the margins of 8 above and 24 below leaves 100 pixels for a range of 4: 25 per unit, 0 at 58.
    expect(letters.map(({ code, glyph, height, tip }) => ({ code, glyph, height, tip }))).toEqual([
      { code: 0, glyph: 0, height: 25, tip: 33 },
      { code: 1, glyph: 1, height: 50, tip: 8 },
      { code: 2, glyph: 2, height: -25, tip: 83 },
      { code: 4, glyph: 4, height: 12.5, tip: 45.5 },
    ])
    const pitch = (480 - 66 - 14) / 5
    expect(letters.map(({ x }) => Math.floor((x - 66) / pitch))).toEqual([0, 1, 2, 4])
    for (const { width } of letters) expect(width).toBeCloseTo(0.92 * pitch, 1)
  })

  it('keeps every letter inside the picture and in proportion, for any scores', () => {
    const score = fc.double({ min: -1e6, max: 1e6, noNaN: true })
    fc.assert(
      fc.property(fc.array(score, { minLength: 1, maxLength: 60 }), (scores) => {
        const codes = Uint8Array.from(scores, (_, index) => index % 4)
        const svg = contributionLogo({ codes, scores, height: 200 })
        const letters = lettersOf(svg)
        const largest = Math.max(...scores.map(Math.abs))
        const tallest = Math.max(0, ...letters.map(({ height }) => Math.abs(height)))
        for (const { x, width, height, tip } of letters) {
          const index = Math.floor(
            ((x - 66) / (Number(/width="(\d+)/.exec(svg)![1]) - 80)) * scores.length + 1e-3,
          )
          expect(height / tallest).toBeCloseTo(scores[index]! / largest, 2)
          // Two decimals in the picture, but not their sum here.
          expect(Math.min(tip, tip + height)).toBeGreaterThanOrEqual(8 - 1e-9)
          expect(Math.max(tip, tip + height)).toBeLessThanOrEqual(176.01)
          expect(width).toBeGreaterThan(0)
        }
        expect(svg).not.toMatch(/NaN|Infinity|undefined/)
      }),
    )
  })

  it('names positions by their coordinate, and cuts motifs at the window', () => {
    const codes = new Uint8Array(100)
    const svg = contributionLogo({
      codes,
      scores: new Float32Array(100).fill(1),
      start: 1_000_050,
      motifs: [
        { start: 1_000_100, end: 1_000_120, label: 'GATA1' },
        { start: 1_000_000, end: 1_000_060, label: 'left' },
        { start: 1_000_150, end: 1_000_160, label: 'outside' },
      ],
    })
    expect(svg).toContain('>1000100</text>')
    expect(svg).not.toContain('>1000150</text>')
    expect(svg).not.toContain('outside')
    const boxes = [...svg.matchAll(/<rect x="(\S+)" width="(\S+)" fill="#6b4fa0" y="\S+" height="3"/g)]
    // 1480 pixels wide, 1400 of them for 100 positions.
    expect(boxes.map(([, x, width]) => [Number(x), Number(width)])).toEqual([
      [66 + 50 * 14, 20 * 14],
      [66, 10 * 14],
    ])
  })

  it('escapes text', () => {
    const svg = logo({ title: 'a < b & "c"', motifs: [{ start: 0, end: 2, label: '<script>' }] })
    expect(svg).toContain('a &lt; b &amp; &quot;c&quot;')
    expect(svg).not.toContain('<script>')
  })

  it('draws an empty axis when every score is zero', () => {
    const svg = logo({ scores: [0, 0, 0, 0, 1e-320] })
    expect(lettersOf(svg)).toEqual([])
    expect(svg).not.toContain('NaN')
  })

  it.each([
    [{ codes: new Uint8Array(0), scores: [] }, 'INVALID_INPUT', 'no positions'],
    [{ scores: [1] }, 'INVALID_INPUT', '5 bases and 1 scores'],
    [{ scores: [1, 2, Number.NaN, 0, 0] }, 'INVALID_INPUT', 'the score of position 2 is NaN'],
    [{ scores: [1, 2, 3, 0, Number.POSITIVE_INFINITY] }, 'INVALID_INPUT', 'position 4 is Infinity'],
    [{ codes: Uint8Array.of(0, 1, 2, 3, 5) }, 'INVALID_INPUT', 'position 4 has the code 5'],
    [{ start: 0.5 }, 'INVALID_OPTION', 'start is a whole number'],
    [{ width: 0 }, 'INVALID_OPTION', 'width is at least'],
    [{ height: Number.NaN }, 'INVALID_OPTION', 'height is at least'],
    [{ range: [1, 2] as const }, 'INVALID_OPTION', 'range is'],
    [{ range: [0, 0] as const }, 'INVALID_OPTION', 'range is'],
  ])('refuses %j', (options, code, message) => {
    expect(() => logo(options)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    )
  })
})

describe('ticks', () => {
  const labels = (...args: Parameters<typeof ticks>) => ticks(...args).map(({ label }) => label)

  it('by hand', () => {
    expect(labels(-0.4, 0.95, 5)).toEqual(['−0.4', '−0.2', '0', '0.2', '0.4', '0.6', '0.8'])
    expect(labels(0, 100, 4)).toEqual(['0', '20', '40', '60', '80', '100'])
    expect(labels(17, 21, 40, 1)).toEqual(['17', '18', '19', '20', '21'])
    expect(labels(0, 3e-7, 3)).toEqual(['0', '1.0e−7', '2.0e−7', '3.0e−7'])
    expect(labels(5_000_000, 5_000_020, 2, 1)).toEqual(['5000000', '5000010', '5000020'])
  })

  it('lie inside, are distinct, and are about as many as asked for', () => {
    const range = fc.tuple(
      fc.double({ min: -1e9, max: 0, noNaN: true }),
      fc.double({ min: 1e-9, max: 1e9, noNaN: true }),
    )
    fc.assert(
      fc.property(range, fc.integer({ min: 2, max: 20 }), ([low, high], count) => {
        const found = ticks(low, high, count)
        const slack = (high - low) * 1e-6
        expect(found.every(({ value }) => value >= low - slack && value <= high + slack)).toBe(true)
        expect(found.length).toBeGreaterThanOrEqual(Math.floor(count / 2))
        expect(found.length).toBeLessThanOrEqual(2 * count + 2)
        expect(new Set(found.map(({ value }) => value)).size).toBe(found.length)
      }),
    )
  })
})
