/** Round tick positions. */

/** Each factor is used up to the geometric mean with the next. */
const FACTORS = [
  [Math.sqrt(2), 1],
  [Math.sqrt(10), 2],
  [Math.sqrt(50), 5],
  [Number.POSITIVE_INFINITY, 10],
] as const

/**
 * Multiples of 1, 2 or 5 times a power of ten within `[low, high]`, about `count` of them, and their labels.
 *
 * @param low Not above `high`; without `smallestStep` below it, by a normal, finite difference.
 * @param smallestStep A power of ten that ticks are at least apart, such as 1 for positions.
 */
export function ticks(
  low: number,
  high: number,
  count: number,
  smallestStep = 0,
): { value: number; label: string }[] {
  const rough = Math.max(smallestStep, (high - low) / Math.max(1, count))
  const power = 10 ** Math.floor(Math.log10(rough))
  // Of 1, 2, 5 and 10, the factor nearest on a logarithmic scale.
  const [, factor] = FACTORS.find(([limit]) => rough / power < limit)!
  const step = factor * power
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9))
  const found: { value: number; label: string }[] = []
  const last = Math.floor(high / step + 1e-9)
  for (let index = Math.ceil(low / step - 1e-9); index <= last; index++) {
    const value = index * step
    // Beyond this many digits a label would not fit beside its axis.
    const plain = decimals <= 4 && Math.abs(high) < 1e6 && Math.abs(low) < 1e6
    const label = plain || smallestStep > 0 ? value.toFixed(decimals) : value.toExponential(1)
    found.push({ value, label: index === 0 ? '0' : label.replace('-', '−') })
  }
  return found
}
