/** Statistics as numpy defines them. */

export function mean(values: ArrayLike<number>): number {
  return sum(values) / values.length
}

export function sum(values: ArrayLike<number>): number {
  let total = 0
  for (let index = 0; index < values.length; index++) total += values[index]!
  return total
}

/** Linear between order statistics, `numpy.quantile`'s default. */
export function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort()
  const place = share * (sorted.length - 1)
  const below = Math.floor(place)
  const above = Math.ceil(place)
  return sorted[below]! + (place - below) * (sorted[above]! - sorted[below]!)
}

export function median(values: ArrayLike<number>): number {
  return quantile(values, 0.5)
}

/** Probability that a positive has the higher value; ties count half. */
export function auroc(values: ArrayLike<number>, positive: ArrayLike<boolean>): number {
  const order = Array.from({ length: values.length }, (_, index) => index)
  order.sort((a, b) => values[a]! - values[b]!)
  let rankSum = 0
  let positives = 0
  for (let first = 0; first < order.length; ) {
    let end = first
    while (end < order.length && values[order[end]!] === values[order[first]!]) end++
    const rank = (first + 1 + end) / 2
    for (const index of order.slice(first, end)) {
      if (!positive[index]) continue
      positives++
      rankSum += rank
    }
    first = end
  }
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * (order.length - positives))
}
