// One network on so many threads: this package and its peers, timed in turn on the same numbers.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeInputs } from '../inputs.mjs'
import { ensureModels, modelPath } from '../make-models.mjs'
import { quietly } from '../quiet.mjs'
import { divide, spread } from '../statistics.mjs'
import { compareScores } from './agreement.mjs'
import { makeTwin } from './environment.mjs'
import { bestBatch, DEFAULT_BATCH, PEERS, startExact, startOurs, startPeer } from './sides.mjs'

/**
 * What was measured, as `bench/record` keeps it. Sides alternate within each round; ratios are taken within rounds,
 * where all sides met the same machine.
 *
 * @param settings `{ interpreter, threads, isa, rounds, seconds, methods, withDefault, log }`
 */
export async function compare(network, settings) {
  const folder = mkdtempSync(join(tmpdir(), 'deeplift-peers-'))
  try {
    const job = writeJob(network, settings, folder)
    const sides = await startSides(job, settings)
    try {
      return await measure(sides, job, settings)
    } finally {
      await stop(sides)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The files that all sides read. */
function writeJob(network, { interpreter, threads, isa }, folder) {
  const at = (name) => join(folder, name)
  ensureModels([network])
  const model = modelPath(network)
  const twin = makeTwin(interpreter, model, network.output, folder)
  const { examples, references } = makeInputs(network)
  writeFileSync(at('examples'), new Uint8Array(examples.buffer, examples.byteOffset, examples.byteLength))
  writeFileSync(
    at('references'),
    new Uint8Array(references.buffer, references.byteOffset, references.byteLength),
  )
  const files = { model, twin, examples: at('examples'), references: at('references') }
  return { network, threads, isa, folder, ...files }
}

/** Every side in a fresh process, so that its peak memory is that of the batch size it is timed with. */
async function startSides(job, { interpreter, methods, withDefault, seconds, log }) {
  const { network } = job
  const ours = await startOurs(job)
  const sides = [{ name: 'deeplift', worker: ours }]
  const start = async (peer, batch, tuned) => {
    const worker = await startPeer(interpreter, peer, job, { tuned })
    sides.push({ ...peer, batch, tuned, worker })
    return worker
  }
  const sweep = async (peer) => {
    const worker = await startPeer(interpreter, peer, job, { tuned: true })
    const batch = await bestBatch(worker, peer, network, seconds)
    await worker.stop()
    log(`${peer.name}: ${batch} pairs at a time are fastest`)
    return batch
  }
  try {
    for (const peer of PEERS) {
      if (!methods.includes(peer.method) || (peer.lettersOnly && !network.letters)) continue
      if (peer.chunked && job.threads > 1) continue
      const { ready } = await start(peer, await sweep(peer), true)
      if (withDefault && peer.lettersOnly) await start(peer, DEFAULT_BATCH, false)
      if (!ready.cuda || peer.chunked) continue
      const onDevice = { ...peer, name: `${peer.name}, ${ready.device}`, device: 'cuda' }
      const worker = await start(onDevice, await sweep(onDevice), true)
      const { name, batch } = sides.at(-1)
      sides.push({ ...onDevice, name: `${name}, inputs there`, batch, tuned: true, resident: true, worker })
    }
    return sides
  } catch (error) {
    await stop(sides)
    throw error
  }
}

async function stop(sides) {
  const workers = new Set(sides.map(({ worker }) => worker))
  await Promise.all([...workers].map((worker) => worker.stop()))
}

/** The process that computes in float64 is gone before the others are timed. */
async function agreementsOf(sides, job) {
  const worker = await startExact(job)
  try {
    return await compareScores(sides, { worker }, job)
  } finally {
    await worker.stop()
  }
}

async function measure(sides, job, { rounds, seconds, log }) {
  const { network, threads } = job
  const pids = sides.map(({ worker }) => worker.pid)
  const agreements = await agreementsOf(sides, job)
  const samples = sides.map(() => [])
  let foreign = 0
  for (let round = 1; round <= rounds; round++)
    for (const [i, { name, worker, batch, tuned, resident }] of sides.entries()) {
      const sample = await quietly(pids, () => worker.ask({ do: 'time', batch, seconds, resident }))
      samples[i].push(sample.ms)
      foreign = Math.max(foreign, sample.foreign)
      log(
        `round ${round}: ${name}${tuned === false ? ' as installed' : ''} ${sample.ms.toFixed(3)} ms per pair`,
      )
    }
  const [ours, ...peers] = await Promise.all(
    sides.map(async ({ name, worker, batch, tuned, device = 'cpu' }, i) => ({
      name,
      ...(batch ? { batch, tuned, device, ...agreements[i] } : { fromExact: agreements[i].fromExact }),
      ms: spread(samples[i]),
      ratio: spread(divide(samples[i], samples[0])),
      peakMB: (await worker.ask({ do: 'memory' })).peakMB,
      loadMs: worker.loadMs,
    })),
  )
  const { isa, flopsPerPass } = await sides[0].worker.ask({ do: 'describe' })
  return {
    network: network.name,
    threads,
    isa,
    gflopPerPass: flopsPerPass / 1e9,
    sequences: network.sequences,
    references: network.references,
    ours,
    peers,
    foreignCores: foreign,
  }
}
