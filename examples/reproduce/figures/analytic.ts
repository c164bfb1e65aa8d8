/** Paper figures 1 to 3: what each input of a small network contributes, by method. */

import type { TopLevelSpec } from 'vega-lite'
import type { Analytic } from '../analytic/experiment.js'
import { BLUE, CONFIG, VERMILION } from './style.js'

const OUTPUT = 'output y'

/** Names of the curves, in the order of their colours and dashes. */
const SERIES = [OUTPUT, 'contribution of i1, or x', 'contribution of i2']
const COLOURS = ['#c8c8c8', VERMILION, BLUE]
const DASHES = [
  [1, 0],
  [1, 0],
  [5, 4],
]

export function analyticFigure(results: readonly Analytic[]): TopLevelSpec {
  const rows = results.map((result) => ({
    title: { text: `${result.title}: ${result.formula}`, fontSize: 13 },
    hconcat: result.curves.map(({ method, contributions }) => ({
      title: { text: method, fontSize: 12, fontWeight: 'normal' as const },
      width: 210,
      height: 150,
      data: {
        values: result.points.flatMap(({ at }, point) => [
          { at, value: result.output[point], series: OUTPUT },
          ...contributions[point]!.map((value, input) => ({ at, value, series: SERIES[1 + input] })),
        ]),
      },
      mark: { type: 'line' as const },
      encoding: {
        x: { field: 'at', type: 'quantitative' as const, title: result.along },
        y: { field: 'value', type: 'quantitative' as const, title: null },
        color: {
          field: 'series',
          type: 'ordinal' as const,
          title: null,
          scale: { domain: SERIES, range: COLOURS },
        },
        // The output lies below contributions that equal it, and stays visible.
        strokeWidth: {
          field: 'series',
          type: 'ordinal' as const,
          title: null,
          scale: { type: 'ordinal' as const, domain: SERIES, range: [5, 2, 2] },
        },
        strokeDash: {
          field: 'series',
          type: 'ordinal' as const,
          title: null,
          scale: { domain: SERIES, range: DASHES },
        },
      },
    })),
    resolve: { scale: { y: 'shared' as const } },
  }))
  return {
    title: 'Figures 1 to 3: contributions on small networks, reference 0',
    vconcat: rows,
    config: { ...CONFIG, legend: { ...CONFIG.legend, orient: 'bottom', symbolSize: 400 } },
  }
}
