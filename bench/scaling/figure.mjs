// A sweep as an SVG: what was measured as points, the law as a line.
import * as vega from 'vega'
import { compile } from 'vega-lite'

const TITLES = {
  msPerSequence: 'ms per sequence',
  msPerPair: 'ms per pair',
  msPerCall: 'ms per call',
  pairsPerSecond: 'pairs per second',
}
const BLUE = '#0072b2'
const GREY = '#8c8c8c'

export async function figure({ name, axis, cost, logarithmic = false }, points, { line }) {
  const scale = logarithmic ? { type: 'log', base: 2, nice: false } : { zero: true }
  const x = { field: 'x', type: 'quantitative', title: axis, scale }
  const y = {
    field: cost,
    type: 'quantitative',
    title: TITLES[cost],
    scale: logarithmic ? { type: 'log' } : scale,
  }
  const along = line ? [0, Math.max(...points.map((each) => each.x))] : []
  const values = along.map((at) => ({ x: at, [cost]: line.intercept + line.slope * at }))
  // Where no law gives a line, one from point to point.
  const measured = line
    ? { type: 'point', filled: true, size: 60 }
    : { type: 'line', point: { size: 60, color: BLUE } }
  const spec = {
    width: 320,
    height: 200,
    title: { text: `Cost by ${name}`, anchor: 'start' },
    layer: [
      { data: { values }, mark: { type: 'line', color: GREY, strokeDash: [4, 3] }, encoding: { x, y } },
      { data: { values: points }, mark: { ...measured, color: BLUE }, encoding: { x, y } },
    ],
    config: { font: 'Helvetica, Arial, sans-serif', background: '#ffffff', aria: false },
  }
  const view = new vega.View(vega.parse(compile(spec).spec), { renderer: 'none' })
  try {
    return `${await view.toSVG()}\n`
  } finally {
    view.finalize()
  }
}
