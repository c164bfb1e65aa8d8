/** Scores that half precision cannot hold are refused, never stored as infinity. */

import { DeepLiftError } from '../errors.js'
import type { FloatArray } from '../native.js'

/** From here on a number rounds to infinity: half a step above 65504. */
const TOO_LARGE = 65520

export function checkHalves(scores: FloatArray, path: string): void {
  for (const score of scores)
    if (!(Math.abs(score) < TOO_LARGE))
      throw new DeepLiftError(
        'INVALID_OPTION',
        `${path}: a score of ${score} does not fit into float16, which ends at 65504: leave out --float16.`,
      )
}
