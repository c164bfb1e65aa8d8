// Records as the benchmarks make them, with numbers that are easy to follow.
import { GOALS } from '../peers/goals.mjs'
import { SWEEPS } from '../scaling/sweeps.mjs'

const MACHINE = {
  date: '2026-01-02T03:04:05.678Z',
  cpu: 'Processor',
  flags: ['avx2', 'fma'],
  threads: 2,
  platform: 'linux-x64',
  node: 'v20.0.0',
  deeplift: '0.1.0',
  commit: 'abc1234',
  onnxruntime: '1.30.0',
}

const spread = (median) => ({ median, min: 0.9 * median, max: 1.1 * median })

/** All networks on one and two threads: 2 ms per pair, 1 on two threads; the best peer 12 and 8. */
export function peersRecord() {
  const peer = (name, ms, ours, tuned) => ({
    name,
    batch: 8,
    tuned,
    device: 'cpu',
    worstDifference: 3e-6,
    positionsApart: 0.01,
    ms: spread(ms),
    ratio: spread(ms / ours),
    peakMB: 1000,
    loadMs: 3000,
  })
  const measured = Object.keys(GOALS).flatMap((network) =>
    [1, 2].map((threads) => {
      const ours = 2 / threads
      const best = threads === 1 ? 12 : 8
      return {
        network,
        threads,
        isa: 'avx2',
        gflopPerPass: 0.1,
        sequences: 2,
        references: 20,
        ours: { name: 'deeplift', ms: spread(ours), ratio: spread(1), peakMB: 100, loadMs: 50 },
        peers: [
          peer('tangermeme', best, ours, true),
          peer('tangermeme', 2 * best, ours, false),
          peer('SHAP', 3 * best, ours, true),
        ],
        foreignCores: 0.01,
      }
    }),
  )
  return { ...MACHINE, peers: { torch: '2.0' }, rounds: 5, measured, file: 'peers-2026-01-02T03-04.json' }
}

/** Every sweep as its law would have it: a line, or a square. */
export function scalingRecord() {
  const sweeps = SWEEPS.map((sweep) => {
    const points = sweep.points.map(({ x }) => {
      const cost = { references: 1 + 2 * x, threads: 100 * x, channels: x ** 2 / 1e3 }[sweep.name] ?? x / 10
      const costs = { msPerCall: cost, msPerSequence: cost, msPerPair: cost, pairsPerSecond: cost }
      return { x, ...costs, gflopPerPass: x / 1e3, foreignCores: 0 }
    })
    const law = sweep.law(points.map((point) => ({ x: point.x, y: point[sweep.cost] })))
    const peer = {
      name: 'tangermeme',
      batch: 8,
      points: points.map(({ x }) => ({ x, msPerSequence: 10 * x })),
      line: { slope: 10, intercept: 0 },
    }
    return { name: sweep.name, points, law, ...(sweep.beside && { peer }) }
  })
  return { ...MACHINE, rounds: 3, sweeps }
}

/** A layer with a rectifier along with it and a pool, on a machine of 100 GFLOP/s. */
export function rooflineRecord() {
  const limits = {
    isa: 'avx2',
    gflops: 100,
    levels: [
      { name: 'L2', bytes: 2 ** 20, gbPerSecond: 100 },
      { name: 'L3', bytes: 2 ** 25, gbPerSecond: 50 },
      { name: 'memory', gbPerSecond: 10 },
    ],
  }
  const row = (op, pass, ms, flops, bytes, own = {}) => ({
    node: op.toLowerCase(),
    op,
    structure: op === 'Conv' ? 'convolution' : 'element-wise',
    shape: [100, 64],
    pass,
    kernel: op === 'Conv' ? 'direct' : '',
    ms,
    flops,
    denseFlops: 2 * flops,
    bytes,
    footprint: bytes,
    ...own,
  })
  const along = { kernel: 'in the epilogue' }
  const rows = [
    row('Conv', 'example', 0.1, 0.8e7, 1e4),
    row('Relu', 'example', 0, 0, 0, along),
    // At 80 % of the peak.
    row('Conv', 'forward', 1, 8e7, 1e5),
    row('Relu', 'forward', 0, 0, 1e5, along),
    // Nothing but bytes, from L3: half of what reading allows.
    row('MaxPool', 'forward', 0.4, 0, 1e7, { structure: 'selection' }),
    row('MaxPool', 'adjoint', 0.1, 0, 1e5, { structure: 'selection' }),
    row('Relu', 'adjoint', 0, 0, 1e5, along),
    row('Conv', 'adjoint', 2, 8e7, 1e5),
  ]
  const measured = { pairs: 40, references: 20, msPerPair: 4, rows, foreignCores: 0 }
  return { ...MACHINE, rounds: 3, networks: [{ network: 'small', limits, ...measured }] }
}

export function startRecord() {
  const marks = { node: 30, modules: 80, model: 90, plan: 100, score: 120 }
  return {
    ...MACHINE,
    runs: 5,
    start: { node: spread(40), api: spread(130), cli: spread(200), marks, foreignCores: 0 },
  }
}

/** One case, read in half of the time that the peer takes. */
export function ioRecord() {
  const times = { bytes: 8e6, ours: spread(10), theirs: spread(20), ratio: spread(2) }
  return {
    ...MACHINE,
    rounds: 3,
    peers: { h5py: '3.16.0' },
    sizes: { rows: 10, length: 200, windows: 30, bases: 2e6 },
    io: { cases: [{ name: 'read HDF5', peer: 'h5py', ...times }], foreignCores: 0 },
  }
}
