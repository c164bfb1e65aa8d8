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
const ORANGE = '#d55e00'
const GREY = '#8c8c8c'

export async function figure({ name, axis, cost, logarithmic = false }, { points, law: { line }, peer }) {
  const scale = logarithmic ? { type: 'log', base: 2, nice: false } : { zero: true }
  const x = { field: 'x', type: 'quantitative', title: axis, scale }
  const y = {
    field: cost,
    type: 'quantitative',
    title: TITLES[cost],
    scale: logarithmic ? { type: 'log' } : scale,
  }
  const along = [0, Math.max(...points.map((each) => each.x))]
  const straight = ({ slope, intercept }) => along.map((at) => ({ x: at, [cost]: intercept + slope * at }))
  // Where no law gives a line, one from point to point.
  const measured = line
    ? { type: 'point', filled: true, size: 60 }
    : { type: 'line', point: { size: 60, color: BLUE } }
  const law = { type: 'line', color: GREY, strokeDash: [4, 3] }
  const layer = (values, mark) => ({ data: { values }, mark, encoding: { x, y } })
  const spec = {
    width: 320,
    height: 200,
    title: { text: `Cost by ${name}`, anchor: 'start' },
    layer: [
      ...(line ? [layer(straight(line), law)] : []),
      layer(points, { ...measured, color: BLUE }),
      ...(peer
        ? [
            layer(straight(peer.line), law),
            layer(peer.points, { type: 'point', filled: true, size: 60, color: ORANGE }),
            layer(straight(peer.line).slice(1), {
              type: 'text',
              text: peer.name,
              align: 'right',
              dx: -8,
              color: ORANGE,
            }),
          ]
        : []),
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
