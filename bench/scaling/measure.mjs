// Times one sweep: its points in turn within each round, so that all of them meet the same machine.
import { DeepLift } from '../../dist/index.js'
import { makeInputs } from '../inputs.mjs'
import { Network } from '../onnx-network.mjs'
import { quietly } from '../quiet.mjs'
import { median } from '../statistics.mjs'

const LAYERS = 3
export const OUTPUT = 'value'

/**
 * `[{ x, msPerCall, msPerSequence, msPerPair, pairsPerSecond, gflopPerPass, foreignCores }]`, medians of `rounds`
 * samples of at least `seconds`.
 */
export async function measureSweep({ points }, { rounds, seconds }) {
  const runs = []
  for (const point of points) runs.push({ point, samples: [], foreign: 0, ...(await prepare(point)) })
  for (let round = 0; round < rounds; round++)
    for (const run of runs) {
      const { ms, foreign } = await quietly([], () => time(run.score, seconds))
      run.samples.push(ms)
      run.foreign = Math.max(run.foreign, foreign)
    }
  return runs.map(({ point, samples, foreign, gflopPerPass }) => {
    const { x, sequences, references } = point
    const msPerCall = median(samples)
    const msPerPair = msPerCall / sequences / references
    const msPerSequence = msPerCall / sequences
    return {
      x,
      msPerCall,
      msPerSequence,
      msPerPair,
      pairsPerSecond: 1e3 / msPerPair,
      gflopPerPass,
      foreignCores: foreign,
    }
  })
}

/** A tower of residual convolutions over one-hot sequences, and the mean of its last layer, as `OUTPUT`. */
export function tower({ length, filters, width }) {
  const net = new Network()
  let x = net.relu(net.conv(net.input('sequence', [4, length]), filters, 21, { same: true }))
  for (let i = 0; i < LAYERS; i++)
    x = net.add(x, net.relu(net.conv(x, filters, width, { dilation: 2, same: true })))
  net.output(net.dense(net.mean(x), 1), OUTPUT)
  return net
}

async function prepare(point) {
  const { length, sequences, references, threads } = point
  const net = tower(point)
  const model = await DeepLift.load(net.encode('tower'), { threads })
  const inputs = makeInputs({ input: [4, length], letters: true, sequences, references })
  const sequence = { data: inputs.codes, shape: [sequences, length] }
  const perExample = { data: inputs.references, shape: [sequences, references, 4, length] }
  const score = () => model.score({ sequence }, { references: { perExample } })
  await score()
  return { score, gflopPerPass: net.flop / 1e9 }
}

async function time(score, seconds) {
  const start = performance.now()
  let [calls, spent] = [0, 0]
  while (calls === 0 || spent < seconds * 1e3) {
    await score()
    calls++
    spent = performance.now() - start
  }
  return { ms: spent / calls }
}
