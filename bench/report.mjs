// Times of one workload as numbers to compare, and those of all as a table.
import { divide, spread } from './statistics.mjs'
import { alignedTable } from './table.mjs'

/** A pair costs a forward pass and a multiplier pass, and its share of the forward pass of its example. */
const idealRatio = (references) => (1 + 2 * references) / references

/**
 * `samples` holds milliseconds per pair or per forward pass, one value per round. Ratios are taken within rounds, where
 * both sides met the same machine, before the median is.
 */
export function summarise(workload, samples, { load, share }) {
  const { network, threads, isa, pairs, flopsPerPass, batch, worstCompleteness } = workload
  const { forward, ...ours } = samples
  const each = (summary) =>
    Object.fromEntries(Object.entries(ours).map(([name, times]) => [name, summary(times)]))
  return {
    network: network.name,
    threads,
    isa,
    pairsPerCall: pairs,
    references: network.references,
    gflopPerPass: flopsPerPass / 1e9,
    msPerPair: each(spread),
    msPerForward: { batch, ...spread(forward) },
    ratio: each((times) => spread(divide(times, forward))),
    idealRatio: idealRatio(network.references),
    worstCompleteness,
    loadBefore: load,
    cpuShare: share,
  }
}

/** For people. */
export function table({ measured, cpu, rounds }) {
  const rows = measured.flatMap((result) =>
    Object.entries(result.msPerPair).map(([kind, { median }]) => ({
      network: result.network,
      threads: result.threads,
      references: kind,
      'ms/pair': median.toFixed(3),
      'pairs/s': (1e3 / median).toFixed(0),
      'ms/forward': result.msPerForward.median.toFixed(3),
      batch: result.msPerForward.batch,
      ratio: result.ratio[kind].median.toFixed(2),
      'min-max': `${result.ratio[kind].min.toFixed(2)}-${result.ratio[kind].max.toFixed(2)}`,
      ideal: result.idealRatio.toFixed(2),
      completeness: result.worstCompleteness.toExponential(1),
      CPU: `${(100 * result.cpuShare).toFixed(0)} %`,
    })),
  )
  return `${cpu}, medians of ${rounds} rounds

${alignedTable(rows)}

ratio: a pair of deeplift / a forward pass of ONNX Runtime on the same threads. ideal: that ratio where each of the
passes that the method needs takes as long as one of ONNX Runtime's. CPU: processor time that the whole run got, of
what its threads could use; well below 100 % other programs were running, and times mean little.`
}
