// Whether all sides computed the same scores: otherwise their times could not be compared.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { product } from '../onnx-network.mjs'

/** Largest difference that is taken for rounding, relative to the largest score. */
const TOLERANCE = 1e-4

/**
 * Share of positions that may be further apart where there are max-pools. Which of two values is larger that are equal
 * to rounding decides to which of two positions a difference goes: one such tie in the second pool of Beluga moves the
 * scores of the 86 positions that the window sees, 2 % of all, and float32 decides otherwise than float64 here and there,
 * the peers' more often than this package's so far (decision 14).
 */
const TIED = 0.05

/**
 * Throws where scores are not the same. Returns for each side `{ worstDifference, positionsApart, fromExact }`: the largest
 * difference from the first side's scores, relative to their largest, the share of positions with more than 1e-4, and the
 * largest difference from the scores of `exact`, which computes in float64, relative to the largest of those.
 */
export async function compareScores(sides, exact, { network, folder }) {
  const scoresOf = async ({ worker, batch }, i) => {
    const to = join(folder, `scores-${i}`)
    await worker.ask({ do: 'scores', batch, to })
    return perPosition(readFloats(to), network)
  }
  const expected = await scoresOf(exact, 'exact')
  const scores = []
  for (const [i, side] of sides.entries()) scores.push(await scoresOf(side, i))
  return scores.map((theirs, i) => ({
    ...agreement(theirs, scores[0], network, sides[i].name),
    fromExact: distance(theirs, expected),
  }))
}

/** The largest difference, relative to the largest that is expected. */
function distance(found, expected) {
  const most = (values) => values.reduce((largest, value) => Math.max(largest, value), 0)
  return most(expected.map((value, i) => Math.abs(value - found[i]))) / most(expected.map(Math.abs))
}

function agreement(theirs, ours, network, side) {
  const largest = ours.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  const differences = Float64Array.from(ours, (value, i) => Math.abs(value - theirs[i]) / largest)
  const worstDifference = differences.reduce((most, value) => Math.max(most, value), 0)
  const positionsApart = differences.filter((value) => !(value <= TOLERANCE)).length / ours.length
  // What ties move from one position to another stays within the sum of an example.
  const size = ours.length / network.sequences
  const sumsApart = Array.from({ length: network.sequences }, (_, e) => {
    const sum = (scores) =>
      scores.subarray(e * size, (e + 1) * size).reduce((total, value) => total + value, 0)
    return Math.abs(sum(ours) - sum(theirs)) / largest
  })
  const allowed = network.pools ? TIED : 0
  if (positionsApart > allowed || sumsApart.some((value) => !(value <= TOLERANCE)))
    throw new Error(
      `${network.name}: scores of ${side} differ by up to ${worstDifference} of the largest, ` +
        `${100 * positionsApart} % of positions by more than ${TOLERANCE}; sums by ${sumsApart.join(', ')}`,
    )
  return { worstDifference, positionsApart }
}

/** tangermeme gives contributions at the letter that is there: what positions contribute is what all agree on. */
function perPosition(values, { input, letters }) {
  if (!letters) return Float64Array.from(values)
  const [channels, length] = input
  const sums = new Float64Array(values.length / channels)
  values.forEach((value, i) => {
    sums[Math.floor(i / product(input)) * length + (i % length)] += value
  })
  return sums
}

function readFloats(path) {
  const bytes = readFileSync(path)
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
}
