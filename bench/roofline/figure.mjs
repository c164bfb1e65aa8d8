// Rooflines as an SVG: every step with products, by its operations per byte and the rate at which it executes them.
import * as vega from 'vega'
import { compile } from 'vega-lite'
import { peakShare } from './analyse.mjs'

const GREY = '#8c8c8c'
const COLOURS = ['#0072b2', '#e69f00', '#d55e00']
/** Operations per byte that are drawn. */
const RANGE = [0.1, 3000]
/** Steps that take less of a pair than this are not drawn. */
const SMALL = 0.005

export async function figure(networks) {
  const spec = {
    concat: networks.map(panel),
    columns: 3,
    config: { font: 'Helvetica, Arial, sans-serif', background: '#ffffff', aria: false },
  }
  const view = new vega.View(vega.parse(compile(spec).spec), { renderer: 'none' })
  try {
    return `${await view.toSVG()}\n`
  } finally {
    view.finalize()
  }
}

function panel({ network, steps, all, limits }) {
  const names = limits.levels.map(({ name }) => name)
  const drawn = steps.filter(({ flops, ms }) => flops > 0 && ms > SMALL * all.ms)
  const points = drawn.map((step) => ({
    intensity: step.flops / step.bytes,
    rate: step.flops / step.ms / 1e6,
    share: step.ms / all.ms,
    level: step.level.name,
    pass: step.pass,
  }))
  const roofs = limits.levels.flatMap(({ name, gbPerSecond }) => {
    const knee = limits.gflops / gbPerSecond
    return [RANGE[0], knee, RANGE[1]].map((intensity) => ({
      intensity,
      rate: Math.min(limits.gflops, intensity * gbPerSecond),
      level: name,
    }))
  })
  const share = (100 * peakShare(all, limits)).toFixed(0)
  const log = (domain) => ({ type: 'log', domain, nice: false, clamp: true })
  const axes = {
    x: { field: 'intensity', type: 'quantitative', title: 'operations per byte', scale: log(RANGE) },
    y: { field: 'rate', type: 'quantitative', title: 'GFLOP/s', scale: log([0.5, 2 * limits.gflops]) },
  }
  const colour = { field: 'level', type: 'nominal', title: 'from', scale: { domain: names, range: COLOURS } }
  return {
    width: 230,
    height: 170,
    title: { text: `${network}: ${share} % of peak`, anchor: 'start' },
    layer: [
      { data: { values: roofs }, mark: { type: 'line', size: 1 }, encoding: { ...axes, color: colour } },
      {
        data: { values: [{ rate: limits.gflops }] },
        mark: { type: 'rule', color: GREY, strokeDash: [4, 3] },
        encoding: { y: axes.y },
      },
      {
        data: { values: points },
        mark: { type: 'point', filled: true, opacity: 0.7 },
        encoding: {
          ...axes,
          color: colour,
          shape: { field: 'pass', type: 'nominal', title: 'pass' },
          size: { field: 'share', type: 'quantitative', title: 'share of time', scale: { range: [15, 250] } },
        },
      },
    ],
  }
}
