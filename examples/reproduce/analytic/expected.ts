/** What each method gives on the small networks, in closed form. */

import type { Ledger } from '../ledger.js'
import type { Analytic, AnalyticMethod, NetworkName } from './experiment.js'
import { THRESHOLD } from './experiment.js'

type Formula = (inputs: readonly number[], output: number) => readonly number[]

const evenly: Formula = (inputs, output) => inputs.map(() => output / inputs.length)
const nothing: Formula = (inputs) => inputs.map(() => 0)

/** All to the smaller input; where they are equal the network takes the first. */
const toSmaller: Formula = ([first, second]) => (first! <= second! ? [first!, 0] : [0, second!])

const EXPECTED: Readonly<Record<NetworkName, Readonly<Record<AnalyticMethod, Formula>>>> = {
  saturation: {
    // Once i1 + i2 reaches 1 nothing changes any more, and the gradient sees nothing.
    'gradient × input': (inputs, output) => (output < 1 ? inputs : nothing(inputs, output)),
    Rescale: evenly,
    RevealCancel: evenly,
  },
  threshold: {
    // Jumps from 0 to the threshold itself, though the output only starts to rise.
    'gradient × input': ([x]) => [x! > THRESHOLD ? x! : 0],
    Rescale: (_, output) => [output],
    RevealCancel: (_, output) => [output],
  },
  minimum: {
    'gradient × input': toSmaller,
    Rescale: toSmaller,
    RevealCancel: evenly,
  },
}

/** Rounding of float64 for numbers up to 20. */
const SAME = 1e-13

export function compareAnalytic(ledger: Ledger, results: readonly Analytic[]): void {
  for (const { name, title, points, output, curves } of results) {
    for (const { method, contributions } of curves) {
      const deviations = points.map(({ inputs }, point) => {
        const expected = EXPECTED[name][method](inputs, output[point]!)
        return Math.max(...expected.map((value, input) => Math.abs(value - contributions[point]![input]!)))
      })
      ledger.compare(
        `${title}, ${method}: largest deviation from the formula`,
        Math.max(...deviations),
        0,
        SAME,
      )
    }
  }
}
