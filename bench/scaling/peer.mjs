// A sweep of references in tangermeme: the same network, sequences and references, on the same threads.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeInputs } from '../inputs.mjs'
import { makeTwin, python } from '../peers/environment.mjs'
import { bestBatch, PEERS, startPeer } from '../peers/sides.mjs'
import { quietly } from '../quiet.mjs'
import { median } from '../statistics.mjs'
import { affineFit } from './fit.mjs'
import { OUTPUT, tower } from './measure.mjs'

const PEER = PEERS.find(({ name }) => name === 'tangermeme')

/** `{ name, batch, points: [{ x, msPerSequence }], line }`, with the batch that suits the largest point. */
export async function measurePeer({ points }, { rounds, seconds }) {
  const folder = mkdtempSync(join(tmpdir(), 'deeplift-scaling-'))
  try {
    const interpreter = python()
    const model = join(folder, 'tower.onnx')
    writeFileSync(model, tower(points[0]).encode('tower'))
    const twin = makeTwin(interpreter, model, OUTPUT, folder)
    let batch
    const found = []
    for (const point of points.toReversed()) {
      const worker = await startPeer(interpreter, PEER, writeJob(point, twin, folder), { tuned: true })
      batch ??= await bestBatch(worker, PEER, point, seconds)
      const samples = []
      for (let round = 0; round < rounds; round++)
        samples.push((await quietly([worker.pid], () => worker.ask({ do: 'time', batch, seconds }))).ms)
      await worker.stop()
      found.unshift({ x: point.x, msPerSequence: median(samples) * point.references })
    }
    const { slope, intercept } = affineFit(found.map(({ x, msPerSequence }) => ({ x, y: msPerSequence })))
    return { name: PEER.name, batch, points: found, line: { slope, intercept } }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The files that the peer reads. */
function writeJob({ length, sequences, references, threads }, twin, folder) {
  const network = { input: [4, length], letters: true, sequences, references }
  const inputs = makeInputs(network)
  const files = { examples: join(folder, 'examples'), references: join(folder, 'references') }
  for (const [name, path] of Object.entries(files)) writeFileSync(path, inputs[name])
  return { network, twin, threads, ...files }
}
