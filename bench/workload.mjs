// One network of the benchmark on so many threads, ready to be timed, and the check that its answers are right.
//
// Both sides get the same numbers: the references that are scored against are also what ONNX Runtime runs forward.
import ort from 'onnxruntime-node'
import { DeepLift, dinucleotideShuffle } from '../dist/index.js'
import { makeInputs } from './inputs.mjs'
import { modelPath } from './make-models.mjs'
import { product } from './onnx-network.mjs'

/** Of shuffles. */
const SEED = 1

/** Largest difference from ONNX Runtime that is taken for rounding, relative to the larger value. */
const TOLERANCE = 1e-4

/** Examples per forward call that ONNX Runtime may choose from, as far as they divide the pairs of a call. */
const BATCHES = [1, 4, 8, 40]

/**
 * Loads a network on both sides. Each of `cases` does one measured call: contributions of all examples against
 * references given as a tensor, or for sequences against shuffles made on the fly, and as many forward passes as
 * there are pairs.
 */
export async function prepare(network, { threads, precision }) {
  const { letters, input, inputName, output, sequences, references: count } = network
  const pairs = sequences * count
  const { examples, references, codes } = makeInputs(network)
  const model = await DeepLift.load(modelPath(network), { threads })
  const shape = [sequences, ...input]
  const given = letters ? { data: codes, shape: [sequences, input[1]] } : { data: examples, shape }
  const target = { output, index: 0 }
  const perExample = { data: references, shape: [sequences, count, ...input] }
  const score = (choice) => model.score({ [inputName]: given }, { target, precision, references: choice })
  const plan = await model.describe({ target, precision, shapes: { [inputName]: input } })
  for (const warning of plan.warnings) console.warn(`${network.name}: ${warning}`)

  const session = await ort.InferenceSession.create(modelPath(network), {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
  })
  const runs = (values, batch) => forwardRuns(session, network, values, batch)
  const cases = { given: () => score({ perExample }) }
  if (letters) cases.shuffled = () => score(dinucleotideShuffle({ count, seed: SEED }))
  const worstCompleteness = await check(network, cases, runs, { examples, references })
  const candidates = BATCHES.filter((batch) => pairs % batch === 0)
  const { batch, forward } = await fastest(
    candidates.map((size) => ({ batch: size, forward: runs(references, size) })),
  )
  const { isa, flopsPerPass } = plan
  return {
    network,
    threads,
    pairs,
    isa,
    flopsPerPass,
    batch,
    worstCompleteness,
    cases: { ...cases, forward },
  }
}

/** A function that runs all examples in `values` forward and returns the first output value of each. */
function forwardRuns(session, { inputName, input, output }, values, batch) {
  const size = product(input)
  const feeds = []
  for (let start = 0; start < values.length; start += batch * size) {
    const data = values.subarray(start, start + batch * size)
    feeds.push({ [inputName]: new ort.Tensor('float32', data, [data.length / size, ...input]) })
  }
  return async () => {
    const firsts = []
    for (const feed of feeds) {
      const { data, dims } = (await session.run(feed))[output]
      for (let i = 0; i < dims[0]; i++) firsts.push(data[i * dims[1]])
    }
    return firsts
  }
}

/**
 * Throws unless the outputs on examples and references are those of ONNX Runtime. Returns the largest relative
 * difference between sums of contributions and differences of outputs.
 */
export async function check({ name, sequences, references: count }, { given, shuffled }, runs, inputs) {
  const outputs = await runs(inputs.examples, 1)()
  const onReferences = await runs(inputs.references, 1)()
  const scores = await given()
  for (let e = 0; e < sequences; e++) {
    const own = onReferences.slice(e * count, (e + 1) * count)
    const mean = own.reduce((sum, value) => sum + value, 0) / count
    const scale = Math.max(Math.abs(outputs[e]), ...own.map(Math.abs))
    same(`${name}, example ${e}`, scores.output.data[e], outputs[e], scale)
    same(`${name}, references of example ${e}`, scores.referenceOutput.data[e], mean, scale)
  }
  if (!shuffled) return scores.worstCompleteness
  const own = await shuffled()
  for (let e = 0; e < sequences; e++)
    same(`${name}, shuffled, example ${e}`, own.output.data[e], outputs[e], Math.abs(outputs[e]))
  return Math.max(scores.worstCompleteness, own.worstCompleteness)
}

function same(where, ours, theirs, scale) {
  if (!(Math.abs(ours - theirs) <= TOLERANCE * scale))
    throw new Error(
      `${where}: the output is ${ours}, that of ONNX Runtime ${theirs}: times would mean nothing`,
    )
}

/** The candidate with the fastest call of three; the first call of each is not counted. */
async function fastest(candidates) {
  const times = []
  for (const { forward } of candidates) {
    await forward()
    let best = Number.POSITIVE_INFINITY
    for (let i = 0; i < 3; i++) {
      const start = performance.now()
      await forward()
      best = Math.min(best, performance.now() - start)
    }
    times.push(best)
  }
  return candidates[times.indexOf(Math.min(...times))]
}
