// Summaries of repeated measurements.

/** `{ median, min, max }`. */
export function spread(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Element by element. */
export function divide(a, b) {
  return a.map((value, i) => value / b[i])
}
