// One network of the benchmark on so many threads, ready to be timed, and the check that its answers are right.
//
// Both sides get the same numbers: the references that are scored against are also what ONNX Runtime runs forward.
import { join } from 'node:path'
import ort from 'onnxruntime-node'
import { DeepLift, dinucleotideShuffle } from '../dist/index.js'

const LETTERS = 4
const SEED = 1

/** References per sequence. */
export const REFERENCES = 20

/** Largest difference from ONNX Runtime that is taken for rounding, relative to the larger value. */
const TOLERANCE = 1e-4

/** Sequences per forward call that ONNX Runtime may choose from. They divide the forwards of every workload. */
const BATCHES = [1, 8, 40]

/** `sequences` per measured call: together tens of milliseconds at least, and enough pairs for two threads. */
export const NETWORKS = [
  { name: 'genomics', length: 200, output: 'logits', sequences: 8 },
  { name: 'basset', length: 600, output: 'logits', sequences: 2 },
  { name: 'bpnet-counts', length: 2114, output: 'counts', sequences: 2 },
]

/**
 * Loads a network from `folder` on both sides. `shuffled`, `given` and `forward` each do one measured call:
 * contributions of all sequences against shuffles made on the fly or references given as a tensor, and as many
 * forward passes as there are pairs.
 */
export async function prepare(network, folder, threads) {
  const { name, length, output, sequences } = network
  const path = join(folder, `${name}.onnx`)
  const pairs = sequences * REFERENCES
  const codes = randomCodes(pairs + sequences, length)
  const examples = codes.subarray(pairs * length)
  const references = oneHot(codes.subarray(0, pairs * length), length)

  const model = await DeepLift.load(path, { threads })
  const sequence = { data: examples, shape: [sequences, length] }
  const target = { output, index: 0 }
  const perExample = { data: references, shape: [sequences, REFERENCES, LETTERS, length] }
  const score = (choice) => model.score({ sequence }, { target, references: choice })
  const shuffled = () => score(dinucleotideShuffle({ count: REFERENCES, seed: SEED }))
  const given = () => score({ perExample })
  const plan = await model.describe({ target, shapes: { sequence: [LETTERS, length] } })

  const session = await ort.InferenceSession.create(path, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
  })
  const runs = (values, batch) => forwardRuns(session, output, values, length, batch)
  const worstCompleteness = await check(network, { shuffled, given }, runs, references, examples)
  const { batch, forward } = await fastest(
    BATCHES.map((size) => ({ batch: size, forward: runs(references, size) })),
  )
  return { network, threads, pairs, isa: plan.isa, batch, worstCompleteness, shuffled, given, forward }
}

/** A function that runs all sequences in `values` forward and returns the first output value of each. */
function forwardRuns(session, output, values, length, batch) {
  const size = LETTERS * length
  const feeds = []
  for (let start = 0; start < values.length; start += batch * size) {
    const data = values.subarray(start, start + batch * size)
    feeds.push({ sequence: new ort.Tensor('float32', data, [data.length / size, LETTERS, length]) })
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
 * Throws unless the outputs on sequences and references are those of ONNX Runtime. Returns the largest relative
 * difference between sums of contributions and differences of outputs.
 */
async function check({ name, length, sequences }, { shuffled, given }, runs, references, examples) {
  const outputs = await runs(oneHot(examples, length), 1)()
  const onReferences = await runs(references, 1)()
  const scores = await given()
  for (let e = 0; e < sequences; e++) {
    const own = onReferences.slice(e * REFERENCES, (e + 1) * REFERENCES)
    const mean = own.reduce((sum, value) => sum + value, 0) / REFERENCES
    const scale = Math.max(Math.abs(outputs[e]), ...own.map(Math.abs))
    same(`${name}, sequence ${e}`, scores.output.data[e], outputs[e], scale)
    same(`${name}, references of sequence ${e}`, scores.referenceOutput.data[e], mean, scale)
  }
  const own = await shuffled()
  for (let e = 0; e < sequences; e++)
    same(`${name}, shuffled, sequence ${e}`, own.output.data[e], outputs[e], Math.abs(outputs[e]))
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

/** Base codes of so many random sequences, the same in every run. */
function randomCodes(count, length) {
  let state = SEED
  return Uint8Array.from({ length: count * length }, () => {
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
