/** Paper figure 4: how far erasing pixels moves the log-odds, and what is erased of one image. */

import type { TopLevelSpec } from 'vega-lite'
import { EXAMPLE, type Mnist, PAIRS, pairName } from '../mnist/experiment.js'
import { PIXELS, SIDE } from '../mnist/images.js'
import { METHODS } from '../mnist/methods.js'
import { BLUE, BREAK_LABEL, CONFIG } from './style.js'

/** Methods on the vertical axis, so that their names can be read. */
export function eraseFigure({ erasures }: Mnist): TopLevelSpec {
  return {
    title:
      'Figure 4: change in log-odds of original against target digit after erasing pixels, all test images',
    data: {
      values: erasures.flatMap(({ pair, method, changes }) =>
        Array.from(changes, (change) => ({
          pair: pairName(pair),
          method: method.label,
          change: Math.round(change),
        })),
      ),
    },
    facet: { field: 'pair', type: 'nominal', title: null, sort: PAIRS.map(pairName) },
    columns: 2,
    spec: {
      width: 360,
      height: 30 * METHODS.length,
      mark: {
        type: 'boxplot',
        extent: 1.5,
        size: 14,
        color: BLUE,
        outliers: { size: 5, opacity: 0.5 },
        median: { color: '#ffffff' },
      },
      encoding: {
        x: { field: 'change', type: 'quantitative', title: 'change in log-odds', axis: { tickCount: 6 } },
        y: {
          field: 'method',
          type: 'nominal',
          title: null,
          sort: null,
          axis: { labelExpr: BREAK_LABEL },
        },
      },
    },
    config: CONFIG,
  }
}

/** One image: scores of its pixels by method, and what is left of it. */
export function digitFigure({ erasures, images }: Mnist): TopLevelSpec {
  const shown = erasures.filter(({ example }) => example)
  const pair = shown[0]!.pair
  const columns = shown.filter((erasure) => erasure.pair === pair)
  const original = images.pixels.subarray(EXAMPLE * PIXELS, (EXAMPLE + 1) * PIXELS)
  return {
    title: `Figure 4: test image ${EXAMPLE}, ${pairName(pair)}: scores of its pixels, and the image after erasing`,
    hconcat: [
      { title: label('image'), ...picture(brightness(original)) },
      ...columns.map(({ method, example }) => ({
        vconcat: [
          { title: label(method.label), ...picture(signed(example!.scores)) },
          picture(brightness(example!.pixels)),
        ],
        resolve: { scale: { color: 'independent' as const } },
      })),
    ],
    resolve: { scale: { color: 'independent' } },
    config: { ...CONFIG, view: { stroke: '#cccccc' } },
  }
}

/** Long names break at their commas. */
function label(text: string) {
  return { text: text.split(', '), fontSize: 11, fontWeight: 'normal' as const }
}

const DARK = 'greys'

/** Pixels that are not 0, as values of 0 to 1. */
function brightness(pixels: ArrayLike<number>) {
  return { values: Array.from(pixels, (value) => value / 255), scheme: DARK, domain: [0, 1] }
}

/** As shares of the largest, so that methods of different magnitude can be compared: orange for, blue against. */
function signed(scores: Float64Array) {
  const largest = Math.max(...scores.map(Math.abs))
  return { values: Array.from(scores, (value) => value / largest), scheme: 'blueorange', domain: [-1, 1] }
}

function picture({ values, scheme, domain }: { values: number[]; scheme: string; domain: number[] }) {
  const position = (field: string) => ({
    field,
    type: 'ordinal' as const,
    axis: null,
    scale: { domain: Array.from({ length: SIDE }, (_, index) => index), padding: 0 },
  })
  return {
    width: 4 * SIDE,
    height: 4 * SIDE,
    data: {
      values: values
        .map((value, index) => ({ row: Math.floor(index / SIDE), column: index % SIDE, value }))
        .filter(({ value }) => value !== 0),
    },
    mark: { type: 'rect' as const },
    encoding: {
      x: position('column'),
      y: position('row'),
      color: {
        field: 'value',
        type: 'quantitative' as const,
        legend: null,
        scale: { scheme: scheme as 'greys', domain },
      },
    },
  }
}
