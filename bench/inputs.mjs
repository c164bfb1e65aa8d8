// Examples and references of a network: random, and the same in every run and for everyone who is timed.
import { generator, product } from './onnx-network.mjs'

const LETTERS = 4
const SEED = 1

/**
 * `{ examples, references, codes }`: values `[sequences, ...input]` and `[sequences, references, ...input]`, one-hot
 * for networks that read letters, which also get the base codes `[sequences, length]` of the examples.
 */
export function makeInputs({ input, letters, sequences, references }) {
  const pairs = sequences * references
  if (!letters) {
    const random = generator(SEED)
    const values = (count) => Float32Array.from({ length: count * product(input) }, random)
    return { references: values(pairs), examples: values(sequences) }
  }
  const length = input[1]
  const codes = randomCodes((pairs + sequences) * length)
  const examples = codes.subarray(pairs * length)
  return {
    examples: oneHot(examples, length),
    references: oneHot(codes.subarray(0, pairs * length), length),
    codes: examples,
  }
}

function randomCodes(count) {
  let state = SEED
  return Uint8Array.from({ length: count }, () => {
    // Constants of Numerical Recipes; the upper bits are random enough for bases.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 30
  })
}

/** `[sequences, 4, length]`. */
function oneHot(codes, length) {
  const values = new Float32Array(codes.length * LETTERS)
  codes.forEach((code, i) => {
    const [sequence, position] = [Math.floor(i / length), i % length]
    values[(sequence * LETTERS + code) * length + position] = 1
  })
  return values
}
