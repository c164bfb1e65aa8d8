// Times the steps of one network's plan, and counts what they do.
import { createCancelToken, createNativeModel } from '../../dist/native.js'
import { readOnnx } from '../../dist/onnx/read.js'
import { makeInputs } from '../inputs.mjs'
import { ensureModels, modelPath } from '../make-models.mjs'
import { quietly } from '../quiet.mjs'

const MEMORY = 2e9
/** Largest difference between sums of contributions and differences of outputs that is taken for rounding. */
const TOLERANCE = 1e-4

/**
 * `{ network, pairs, references, msPerPair, rows, foreignCores }` of the fastest of `rounds` calls on one thread, as limits are the most that was reached. A row is a
 * step in one of the passes, all per pair: `{ node, op, structure, shape, pass, kernel, ms, flops, denseFlops, bytes,
 * footprint }`, where `footprint` is what the pairs that go through it together touch.
 */
export async function measureSteps(network, { rounds }) {
  ensureModels([network])
  const model = createNativeModel(await readOnnx(modelPath(network)), 1)
  const plan = await model.plan(JSON.stringify(planOptions(network)), [undefined])
  const description = JSON.parse(plan.describe())
  const batch = nativeBatch(network)
  const pairs = network.sequences * network.references
  const score = () => plan.score(batch, createCancelToken())
  checkAnswer(network, await score())
  plan.times()
  let fastest = { ms: Number.POSITIVE_INFINITY }
  for (let round = 0; round < rounds; round++) {
    const sample = await quietly([], async () => {
      const start = performance.now()
      await score()
      return { ms: (performance.now() - start) / pairs, times: JSON.parse(plan.times()) }
    })
    if (sample.ms < fastest.ms) fastest = sample
  }
  return {
    network: network.name,
    pairs,
    references: network.references,
    msPerPair: fastest.ms,
    rows: rowsOf(description, fastest.times),
    foreignCores: fastest.foreign,
  }
}

/** Those of `model.score` with the same arguments as the other benchmarks, but timed. */
function planOptions({ input, inputName, output, letters, references }) {
  return {
    inputs: [{ name: inputName, shape: input, encoding: letters ? 'codes' : 'float' }],
    channelAxis: [letters ? 0 : null],
    targets: [{ tensor: output, index: 0 }],
    peel: true,
    rule: 'rescale',
    precision: 'float32',
    references: [{ kind: 'perExample', count: references }],
    outputs: { contributions: true, hypothetical: false, multipliers: false, perReference: false },
    memory: MEMORY,
    timed: true,
  }
}

function nativeBatch(network) {
  const { examples, references, codes } = makeInputs(network)
  const inputs = [network.letters ? codes : examples]
  return { first: 0, examples: network.sequences, inputs, references: [references] }
}

export function checkAnswer({ name }, { completeness }) {
  const worst = Math.max(...completeness)
  if (!(worst <= TOLERANCE))
    throw new Error(
      `${name}: contributions miss the difference of the output by ${worst}: times mean nothing`,
    )
}

/** Steps in the order in which they run: of examples, of pairs, and backwards. */
function rowsOf({ steps, pairsPerPass, references }, times) {
  const row = (pass, share, time, costs) => (step, i) => {
    const work = costs(step).filter((cost) => cost !== null)
    const sum = (value) => work.reduce((total, cost) => total + value(cost), 0)
    const own = (cost) => cost.valueBytes + cost.recordBytes
    return {
      node: step.node,
      op: step.op,
      structure: step.structure,
      shape: step.shape.slice(1),
      pass,
      kernel: work[0]?.kernel ?? '',
      ms: times[i][time] * 1e3 * share,
      flops: sum(({ flops }) => flops) * share,
      denseFlops: work.length > 0 ? step.flops * share : 0,
      bytes: sum((cost) => own(cost) + cost.weightBytes / cost.pairsPerReading) * share,
      footprint: sum((cost) => own(cost) * pairsPerPass + cost.weightBytes),
    }
  }
  return [
    ...steps.map(row('example', 1 / references, 'example', ({ forward }) => [forward])),
    ...steps.map(row('forward', 1, 'pair', ({ forward, record }) => [forward, record])),
    ...steps.map(row('adjoint', 1, 'multipliers', ({ adjoint }) => [adjoint])).reverse(),
  ]
}
