// Tables of a record of bench:peers: rows whose keys are the columns.
import { GOALS, goal } from './goals.mjs'

/** Three significant digits. */
const digits = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3))
const range = ({ min, max }) => `${min.toFixed(1)}-${max.toFixed(1)}`

/** The fastest tuned peer on the processor. */
export function bestPeer({ peers }) {
  const tuned = peers.filter(({ device, tuned }) => device === 'cpu' && tuned)
  return tuned.reduce((least, peer) => (peer.ms.median < least.ms.median ? peer : least))
}

/** Against the best tuned peer, with the goal, and against tangermeme as installed. */
export function ratioRows({ measured, flags }) {
  return measured.map((result) => {
    const { network, threads, isa, ours, peers } = result
    const best = bestPeer(result)
    const asInstalled = peers.find(({ tuned }) => !tuned)
    return {
      network,
      threads,
      'deeplift, ms per pair': digits(ours.ms.median),
      'best tuned peer, ms': digits(best.ms.median),
      'which, at a time': `${best.name}, ${best.batch}`,
      'times as fast': best.ratio.median.toFixed(1),
      rounds: range(best.ratio),
      goal: goal(network, isa, flags) ?? '',
      'as installed': asInstalled ? asInstalled.ratio.median.toFixed(1) : '',
    }
  })
}

/** Every side: milliseconds per pair, and the batch size of peers. */
export function timeRows({ measured }) {
  const title = ({ name, tuned }) => (tuned ? name : `${name} as installed`)
  const titles = [...new Set(measured.flatMap(({ peers }) => peers.map(title)))]
  return measured.map(({ network, threads, ours, peers }) => ({
    network,
    threads,
    deeplift: digits(ours.ms.median),
    ...Object.fromEntries(
      titles.map((wanted) => {
        const peer = peers.find((each) => title(each) === wanted)
        return [wanted, peer ? `${digits(peer.ms.median)} (${peer.batch})` : '']
      }),
    ),
  }))
}

/** What else belongs to a time: memory, the rate of arithmetic, agreement, and how quiet it was. */
export function checkRows({ measured }) {
  return measured.map((result) => {
    const { network, threads, ours, peers, gflopPerPass, references } = result
    const best = bestPeer(result)
    const passes = (1 + 2 * references) / references
    return {
      network,
      threads,
      'deeplift, MB': ours.peakMB.toFixed(0),
      'best peer, MB': best.peakMB.toFixed(0),
      'share of its memory': `${((100 * ours.peakMB) / best.peakMB).toFixed(0)} %`,
      'GFLOP/s': ((1e3 * passes * gflopPerPass) / ours.ms.median).toFixed(0),
      'largest difference': Math.max(...peers.map((peer) => peer.worstDifference)).toExponential(0),
      'deeplift from float64': ours.fromExact?.toExponential(0) ?? '',
      'peers from float64': peers.some(({ fromExact }) => fromExact !== undefined)
        ? Math.max(...peers.map(({ fromExact }) => fromExact ?? 0)).toExponential(0)
        : '',
      'positions apart': `${(100 * Math.max(...peers.map((peer) => peer.positionsApart))).toFixed(1)} %`,
      'foreign cores': result.foreignCores?.toFixed(2) ?? '',
    }
  })
}

/** Pairs per second on more threads, as multiples of those on one. */
export function threadRows({ measured }) {
  return measured
    .filter(({ threads }) => threads > 1)
    .flatMap((result) => {
      const one = measured.find(({ network, threads }) => network === result.network && threads === 1)
      if (!one) return []
      const gain = (pick) => (pick(one).ms.median / pick(result).ms.median).toFixed(2)
      return [
        {
          network: result.network,
          threads: result.threads,
          deeplift: gain(({ ours }) => ours),
          'best peer': gain(bestPeer),
        },
      ]
    })
}

/** Whether a record holds every network that has a goal. */
export function isComplete({ measured }) {
  return Object.keys(GOALS).every((name) => measured.some(({ network }) => network === name))
}
