/** Figures and tables of examples/reproduce, over results that need no data. */

import { expect, test } from 'vitest'
import { analyticExperiment } from '../../examples/reproduce/analytic/experiment.js'
import { analyticFigure } from '../../examples/reproduce/figures/analytic.js'
import { pngOf, svgOf } from '../../examples/reproduce/figures/render.js'
import { csv, markdown } from '../../examples/reproduce/report/table.js'

test('a figure names its methods and draws every curve, as SVG and as PNG', async () => {
  const results = await analyticExperiment()
  const svg = await svgOf(analyticFigure(results))
  for (const { title, curves } of results)
    for (const text of [title, ...curves.map(({ method }) => method)]) expect(svg).toContain(text)
  // The output and each input, by method, and three symbols of the legend.
  const lines = results.flatMap(({ points, curves }) => curves.map(() => 1 + points[0]!.inputs.length))
  const drawn = svg.match(/<path [^>]*stroke-width="(2|5)"/g)!.length
  expect(drawn).toBe(lines.reduce((sum, count) => sum + count, 0) + 3)

  const png = pngOf(svg)
  expect(png.subarray(1, 4).toString()).toBe('PNG')
  const width = Number(/width="(\d+)"/.exec(svg)![1])
  expect(png.readUInt32BE(16)).toBeGreaterThanOrEqual(width)
})

test('tables as Markdown and CSV', () => {
  const table = { columns: ['method', 'share'], rows: [['one, "two"', 0.5] as const] }
  expect(markdown(table)).toBe('| method | share |\n| --- | ---: |\n| one, "two" | 0.5 |')
  expect(csv(table)).toBe('method,share\n"one, ""two""",0.5\n')
})
