// The sides of a comparison, each a process of its own: this package and its peers.
import { fileURLToPath } from 'node:url'
import { Worker } from './worker.mjs'

const file = (name) => fileURLToPath(new URL(name, import.meta.url))

/** Keeps glibc from giving memory back to the system, whose pages PyTorch would ask for again in every layer. */
const TUNED = {
  MALLOC_MMAP_THRESHOLD_: String(4 * 2 ** 30),
  MALLOC_TRIM_THRESHOLD_: String(8 * 2 ** 30),
  MALLOC_TOP_PAD_: String(256 * 2 ** 20),
}

/** What keeps each side to an instruction set. */
const LIMITS = {
  avx2: {
    DEEPLIFT_ISA: 'avx2',
    ATEN_CPU_CAPABILITY: 'avx2',
    ONEDNN_MAX_CPU_ISA: 'AVX2',
    MKL_ENABLE_INSTRUCTIONS: 'AVX2',
  },
}
export const ISAS = Object.keys(LIMITS)

/** tangermeme's default batch size, which its users get. */
export const DEFAULT_BATCH = 32

/** Peers on the processor. `chunked`: compares one example with at most all its references in a call. */
export const PEERS = [
  { name: 'tangermeme', method: 'tangermeme', lettersOnly: true },
  { name: 'Captum DeepLift', method: 'captum' },
  { name: 'Captum DeepLiftShap', method: 'captum-shap', chunked: true },
  { name: 'SHAP', method: 'shap', chunked: true },
]

/** Pairs that a device should have in a call at least. */
const DEVICE_PAIRS = 1024

/** Starts this package on a job, `{ network, model, twin, examples, references, threads, isa }`. */
export function startOurs(job) {
  return start(job, job.threads)
}

/** Starts this package in float64, on all threads: for its scores. */
export function startExact(job) {
  return start(job, undefined, 'float64')
}

function start({ network, model, examples, references, isa }, threads, precision) {
  const { inputName, output, input, references: count } = network
  const job = { model, inputName, output, examples, references, input, count, threads, precision }
  return Worker.start(process.execPath, [file('ours.mjs'), JSON.stringify(job)], LIMITS[isa])
}

/** Starts a peer on a job; `tuned` with the allocator that suits it. */
export function startPeer(interpreter, { method, device = 'cpu' }, job, { tuned }) {
  const { network, twin, examples, references, threads, isa } = job
  const { input, references: count, sequences } = network
  const repeat = device === 'cpu' ? 1 : Math.ceil(DEVICE_PAIRS / (sequences * count))
  const args = { method, twin, examples, references, input, count, threads, device, repeat }
  const env = {
    OMP_NUM_THREADS: String(threads),
    MKL_NUM_THREADS: String(threads),
    ...LIMITS[isa],
    ...(tuned ? TUNED : {}),
  }
  return Worker.start(interpreter, [file('peer.py'), JSON.stringify(args)], env)
}

/**
 * The batch size, in pairs, that takes the least time: doubled or halved from 8 as long as that helps, because times
 * first fall with the batch and rise when its tensors outgrow the caches.
 */
export async function bestBatch(worker, { chunked, device = 'cpu' }, { sequences, references }, seconds) {
  const largest = device === 'cpu' ? sequences * references : DEVICE_PAIRS
  const ladder = powersUpTo(chunked ? references : largest)
  const times = new Map()
  const time = async (step) => {
    if (!times.has(step)) {
      const batch = ladder[step]
      // As many examples as it takes for a full batch: calls of large networks take seconds.
      const examples = device === 'cpu' ? Math.ceil(batch / references) : undefined
      const { ms } = await worker.ask({ do: 'time', batch, seconds, examples })
      times.set(step, ms ?? Number.POSITIVE_INFINITY)
    }
    return times.get(step)
  }
  let best = Math.min(ladder.length - 1, 2)
  await worker.ask({
    do: 'time',
    batch: ladder[best],
    seconds: 0,
    examples: device === 'cpu' ? 1 : undefined,
  })
  for (const step of [1, -1])
    while (ladder[best + step] !== undefined && (await time(best + step)) < (await time(best))) best += step
  return ladder[best]
}

/** 2, 4, 8 …, and the limit itself. */
function powersUpTo(limit) {
  const powers = []
  for (let power = 2; power < limit; power *= 2) powers.push(power)
  return [...powers, limit]
}
