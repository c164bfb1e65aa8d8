// A record of bench:peers as a table.
import { alignedTable } from '../table.mjs'
import { goal } from './goals.mjs'

/** `{ best, asInstalled }` of a measured network: peers on the processor. */
export function onProcessor({ peers }) {
  const tuned = peers.filter(({ device, tuned }) => device === 'cpu' && tuned)
  const best = tuned.reduce((least, peer) => (peer.ms.median < least.ms.median ? peer : least))
  return { best, asInstalled: peers.find(({ tuned }) => !tuned) }
}

/** For people. */
export function table(record) {
  const rows = record.measured.map((result) => {
    const { network, threads, isa, ours, peers } = result
    const { best, asInstalled } = onProcessor(result)
    const times = Object.fromEntries(
      ['tangermeme', 'Captum DeepLift', 'Captum DeepLiftShap', 'SHAP'].map((name) => {
        const peer = peers.find((each) => each.name === name && each.tuned)
        return [name, peer ? `${digits(peer.ms.median)} (${peer.batch})` : '']
      }),
    )
    return {
      network,
      threads,
      isa,
      deeplift: digits(ours.ms.median),
      ...times,
      ratio: best.ratio.median.toFixed(1),
      'min-max': `${best.ratio.min.toFixed(1)}-${best.ratio.max.toFixed(1)}`,
      goal: goal(network, isa, record.flags) ?? '',
      installed: asInstalled ? asInstalled.ratio.median.toFixed(1) : '',
      'MB ours': ours.peakMB.toFixed(0),
      'MB best': best.peakMB.toFixed(0),
      difference: Math.max(...peers.map(({ worstDifference }) => worstDifference)).toExponential(0),
      foreign: result.foreignCores?.toFixed(2) ?? '',
    }
  })
  return alignedTable(rows)
}

/** Three significant digits. */
export function digits(value) {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}
