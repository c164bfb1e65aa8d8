// What is varied, one thing at a time, and the law that cost should follow.
//
// Each sweep is `{ name, axis, points, cost, law }`: `points` are settings of `measure.mjs` with the value `x` that
// varies, `cost` names the time that is looked at, and `law` judges `[{ x, y }]`; `beside` where a peer is timed too.
import { availableParallelism } from 'node:os'
import { affineFit, exponent } from './fit.mjs'

/** Without other settings: 4 sequences of 1000 bases, 8 references each, 64 filters of width 3, one thread. */
export const BASE = { length: 1000, filters: 64, width: 3, sequences: 4, references: 8, threads: 1 }

const vary = (key, values) => values.map((x) => ({ ...BASE, [key]: x, x }))
const threadCounts = Array.from({ length: availableParallelism() }, (_, i) => i + 1).filter((n) => n <= 16)

/** Largest distance of a point from a straight line, relative to the line. */
const RESIDUAL = 0.05

export const SWEEPS = [
  {
    name: 'references',
    axis: 'references per sequence',
    points: vary('references', [1, 2, 5, 10, 20, 40]),
    cost: 'msPerSequence',
    beside: true,
    law: (points) => {
      const { slope, intercept, residual } = affineFit(points)
      const ratio = intercept / slope
      return {
        holds: residual <= RESIDUAL && ratio >= 0.3 && ratio <= 0.6,
        text:
          `${intercept.toFixed(2)} + ${slope.toFixed(2)} R ms, points within ${percent(residual)}. The intercept is the ` +
          `forward pass of the sequence itself, ${ratio.toFixed(2)} of a pair (expected: 0.3 to 0.6)`,
        line: { slope, intercept },
      }
    },
  },
  {
    name: 'length',
    axis: 'bases',
    points: vary('length', [500, 1000, 2000, 3000, 4000, 6000]),
    cost: 'msPerPair',
    law: straight('L'),
  },
  {
    name: 'batch',
    axis: 'sequences per call',
    points: vary('sequences', [1, 2, 4, 8, 16, 32]),
    cost: 'msPerCall',
    law: straight('N'),
  },
  {
    name: 'channels',
    axis: 'filters',
    logarithmic: true,
    points: vary('filters', [16, 32, 64, 128, 256, 512]).map((each) => ({
      ...each,
      sequences: 1,
      references: 4,
    })),
    cost: 'msPerPair',
    law: (points) => {
      const power = exponent(points.filter(({ x }) => x >= 64))
      return {
        holds: power >= 1.5 && power <= 2.1,
        text: `from 64 filters on as their ${power.toFixed(2)}th power (expected: 2, or less where wide layers run better)`,
      }
    },
  },
  {
    name: 'width',
    axis: 'width of kernels',
    points: vary('width', [3, 5, 7, 9, 11, 15]),
    cost: 'msPerPair',
    law: (points) => {
      const [first, last] = [points[0], points.at(-1)]
      const growth = last.y / first.y / (last.x / first.x)
      return {
        holds: growth <= 1.1,
        text: `${(last.y / first.y).toFixed(2)} times the cost for ${last.x / first.x} times the width`,
      }
    },
  },
  {
    name: 'threads',
    axis: 'threads',
    points: vary('threads', threadCounts),
    cost: 'pairsPerSecond',
    law: (points) => {
      const [one, last] = [points[0], points.at(-1)]
      const speedup = last.y / one.y
      return {
        holds: speedup >= 0.95 * last.x,
        text: `${speedup.toFixed(2)} times as many pairs on ${last.x} threads`,
        line: { slope: one.y, intercept: 0 },
      }
    },
  },
]

/** Cost is a straight line, and what does not grow with it is small. */
function straight(symbol) {
  return (points) => {
    const { slope, intercept, residual } = affineFit(points)
    const middle = points[points.length >> 1]
    return {
      holds: residual <= 2 * RESIDUAL && Math.abs(intercept) <= 0.25 * middle.y,
      text: `${intercept.toFixed(2)} + ${slope.toPrecision(3)} ${symbol} ms, points within ${percent(residual)}`,
      line: { slope, intercept },
    }
  }
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`
}
