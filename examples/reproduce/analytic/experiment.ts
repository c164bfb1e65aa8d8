/**
 * Experiment C, paper figures 1 to 3: three networks small enough to see what a method should say, along a line of
 * inputs. The reference is 0.
 */

import { join } from 'node:path'
import { DeepLift, type Rule } from 'deeplift'
import { FOLDER } from '../folder.js'

export type NetworkName = 'saturation' | 'threshold' | 'minimum'

interface Network {
  name: NetworkName
  title: string
  formula: string
  /** Label of the axis along which inputs change. */
  along: string
  points: readonly Point[]
}

export interface Point {
  /** Place on the axis. */
  at: number
  inputs: readonly number[]
}

export interface Curve {
  method: AnalyticMethod
  /** Contribution of each input, `[point][input]`. */
  contributions: number[][]
}

export interface Analytic extends Network {
  /** `[point]` */
  output: number[]
  curves: Curve[]
}

/** A power of two, so that float32 holds every input exactly. */
const STEPS = 32

/** Evenly spaced, both ends included. */
function range(from: number, to: number): number[] {
  return Array.from({ length: STEPS + 1 }, (_, step) => from + ((to - from) * step) / STEPS)
}

/** The input of the threshold network from which it answers. */
export const THRESHOLD = 10

/** The second input of the minimum network, which the first one moves past. */
const OTHER = 3

export const NETWORKS: readonly Network[] = [
  {
    name: 'saturation',
    title: 'Saturation',
    formula: 'y = 1 − max(0, 1 − i1 − i2)',
    along: 'i1 = i2',
    points: range(0, 1).map((at) => ({ at, inputs: [at, at] })),
  },
  {
    name: 'threshold',
    title: 'Thresholding',
    formula: `y = max(0, x − ${THRESHOLD})`,
    along: 'x',
    points: range(0, 2 * THRESHOLD).map((at) => ({ at, inputs: [at] })),
  },
  {
    name: 'minimum',
    title: 'Minimum',
    formula: 'y = i1 − max(0, i1 − i2)',
    along: `i1, where i2 = ${OTHER}`,
    points: range(0, 2 * OTHER).map((at) => ({ at, inputs: [at, OTHER] })),
  },
]

const METHODS = [
  ['gradient × input', 'gradient'],
  ['Rescale', 'rescale'],
  ['RevealCancel', 'reveal-cancel'],
] as const satisfies readonly (readonly [string, Rule])[]

export type AnalyticMethod = (typeof METHODS)[number][0]

export async function analyticExperiment(): Promise<Analytic[]> {
  return await Promise.all(NETWORKS.map(sweep))
}

async function sweep(network: Network): Promise<Analytic> {
  const { name, points } = network
  const model = await DeepLift.load(join(FOLDER, 'analytic', `${name}.onnx`))
  const width = points[0]!.inputs.length
  const data = Float32Array.from(points.flatMap(({ inputs }) => inputs))
  const x = { data, shape: [points.length, width] }
  const curves: Curve[] = []
  let output: number[] = []
  for (const [method, rule] of METHODS) {
    const scores = await model.score({ x }, { references: 'zeros', rule, precision: 'float64' })
    const all = scores.contributions.x!.data
    output = [...scores.output.data]
    const contributions = points.map((_, point) => [...all.subarray(point * width, (point + 1) * width)])
    curves.push({ method, contributions })
  }
  return { ...network, output, curves }
}
