/** Figures as files: SVG, and PNG for places that show no SVG. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Resvg } from '@resvg/resvg-js'
import * as vega from 'vega'
import { compile, type TopLevelSpec } from 'vega-lite'

/** Pixels of a PNG per pixel of the SVG. */
const ZOOM = 1.25

/** In place of Helvetica and Arial where a system has neither. */
const FONT = { sansSerifFamily: 'DejaVu Sans', defaultFontFamily: 'DejaVu Sans' }

/** Mean width of a letter of a sans-serif font, in em. */
const LETTER_WIDTH = 0.6

/** Vega's own estimate without a canvas, .8 em per letter, leaves figures half empty; its types lack this export. */
const { textMetrics } = vega as unknown as {
  textMetrics: { width(item: { fontSize?: number }, text: string): number }
}
textMetrics.width = ({ fontSize = 11 }, text) => LETTER_WIDTH * fontSize * text.length

export async function svgOf(spec: TopLevelSpec): Promise<string> {
  const view = new vega.View(vega.parse(compile(spec).spec), { renderer: 'none' })
  try {
    return await view.toSVG()
  } finally {
    view.finalize()
  }
}

export function pngOf(svg: string): Buffer {
  return new Resvg(svg, { fitTo: { mode: 'zoom', value: ZOOM }, font: FONT }).render().asPng()
}

/** Writes `<name>.svg` and `<name>.png`. */
export async function writeFigure(folder: string, name: string, svg: string): Promise<void> {
  await writeFile(join(folder, `${name}.svg`), svg)
  await writeFile(join(folder, `${name}.png`), pngOf(svg))
}

/** Text of a PNG needs a font of the system; without one it would be missing without a word. */
export function checkFonts(): void {
  const text = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><text y="15">x</text></svg>'
  if (new Resvg(text).getBBox() === undefined)
    throw new Error(
      'No font is installed, so figures would lack their text: install one, such as fonts-dejavu.',
    )
}
