// Times of one workload as numbers to compare, and those of all as a table.

/** A pair costs a forward pass and a multiplier pass, and its share of the forward pass of its sequence. */
const idealRatio = (references) => (1 + 2 * references) / references

/**
 * `samples` holds milliseconds per pair or per forward pass, one value per round. Ratios are taken within rounds, where
 * both sides met the same machine, before the median is.
 */
export function summarise(workload, samples, { load, share }) {
  const { network, threads, isa, pairs, batch, worstCompleteness } = workload
  const { shuffled, given, forward } = samples
  return {
    network: network.name,
    threads,
    isa,
    pairsPerCall: pairs,
    msPerPair: { shuffled: spread(shuffled), given: spread(given) },
    pairsPerSecond: { shuffled: 1e3 / median(shuffled), given: 1e3 / median(given) },
    msPerForward: { batch, ...spread(forward) },
    ratio: { shuffled: spread(divide(shuffled, forward)), given: spread(divide(given, forward)) },
    worstCompleteness,
    loadBefore: load,
    cpuShare: share,
  }
}

export function printTable({ measured, references, cpu, rounds }) {
  const rows = measured.flatMap((result) =>
    ['shuffled', 'given'].map((kind) => [
      result.network,
      result.threads,
      kind,
      result.msPerPair[kind].median.toFixed(3),
      result.pairsPerSecond[kind].toFixed(0),
      result.msPerForward.median.toFixed(3),
      result.msPerForward.batch,
      result.ratio[kind].median.toFixed(2),
      `${result.ratio[kind].min.toFixed(2)}-${result.ratio[kind].max.toFixed(2)}`,
      result.worstCompleteness.toExponential(1),
      `${(100 * result.cpuShare).toFixed(0)} %`,
    ]),
  )
  const head = [
    'network',
    'threads',
    'references',
    'ms/pair',
    'pairs/s',
    'ms/forward',
    'batch',
    'ratio',
    'min-max',
    'completeness',
    'CPU',
  ]
  console.log(`\n${cpu}, ${references} references per sequence, medians of ${rounds} rounds\n`)
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => String(row[i]).length)))
  for (const row of [head, ...rows])
    console.log(row.map((cell, i) => String(cell).padStart(widths[i])).join('  '))
  console.log(`
ratio: a pair of deeplift / a forward pass of ONNX Runtime on the same threads. One pass as fast as ONNX Runtime's
for each that the method needs makes ${idealRatio(references).toFixed(2)}. CPU: processor time that the whole run got, of what its threads could use;
well below 100 % other programs were running, and times mean little.`)
}

function divide(a, b) {
  return a.map((value, i) => value / b[i])
}

function spread(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
