/** Profiles: logits over positions, and over strands if there are two, whose softmax says where reads fall. */

/** Logits of one example; the axis of positions is the longest. */
export interface Profile {
  logits: Float64Array
  shape: readonly number[]
}

/** What a variant inserts and deletes, where the windows of both alleles have the same index. */
export interface Replacement {
  /** Index in the window of the first base of both alleles. */
  at: number
  /** Bases of the window. */
  length: number
  /** Bases of allele 1 and of allele 2. */
  lengths: readonly [number, number]
}

/** From the profile of the reverse complement: positions and strands are turned around. */
export function turned({ logits, shape }: Profile): Profile {
  return { logits: logits.slice().reverse(), shape }
}

/** Positions of a profile, and the strands or tasks beside them. */
export function profileAxes(shape: readonly number[]): { positions: number; axis: number; tracks: number } {
  const positions = Math.max(...shape)
  const size = shape.reduce((product, extent) => product * extent, 1)
  return { positions, axis: shape.indexOf(positions), tracks: size / positions }
}

/**
 * The logits of positions that both profiles have, in order.
 *
 * A profile of P positions lies in the middle of its window of L bases, ⌊(L − P)/2⌋ from its start. Of the longer allele
 * the bases beyond the length of the shorter are left out; of the shorter one as many positions at the end of the
 * profile, whose bases the profile of the other does not reach. So variant-scorer compares the profiles of insertions and
 * deletions.
 */
export function inCommon(
  first: Profile,
  second: Profile,
  { at, length, lengths }: Replacement,
): [Float64Array, Float64Array] {
  const [shorter, longer] = [Math.min(...lengths), Math.max(...lengths)]
  const { positions } = profileAxes(first.shape)
  if (shorter === longer) return [first.logits, second.logits]
  const start = at - Math.floor((length - positions) / 2)
  const middle = { from: start + shorter, to: start + longer }
  const end = { from: Math.max(middle.from, positions - (longer - shorter)), to: positions }
  const [cut1, cut2] = lengths[0] > lengths[1] ? [middle, end] : [end, middle]
  return [without(first, cut1), without(second, cut2)]
}

/** The logits but those of positions `from` ≤ i < `to`. */
function without({ logits, shape }: Profile, { from, to }: { from: number; to: number }): Float64Array {
  const { positions, axis } = profileAxes(shape)
  const stride = shape.slice(axis + 1).reduce((product, extent) => product * extent, 1)
  return logits.filter((_, index) => {
    const position = Math.floor(index / stride) % positions
    return position < from || position >= to
  })
}

/**
 * The Jensen-Shannon distance of the softmax of two arrays of logits, in bits: the root of the divergence
 * ½ Σ p log₂(p/m) + ½ Σ q log₂(q/m), m = ½ (p + q); from 0 to 1. `scipy.spatial.distance.jensenshannon(p, q, 2)`.
 *
 * With d = (p − q)/(p + q), a term is ½ m (log(1 − d²) + 2 d artanh d), which loses no digits where p and q are close.
 */
export function jensenShannonDistance(first: Float64Array, second: Float64Array): number {
  const [p, q] = [softmax(first), softmax(second)]
  let sum = 0
  for (let index = 0; index < p.length; index++) {
    const total = p[index]! + q[index]!
    if (total === 0) continue
    const d = (p[index]! - q[index]!) / total
    const term = Math.abs(d) === 1 ? 2 * Math.LN2 : Math.log1p(-d * d) + 2 * d * Math.atanh(d)
    sum += (total / 4) * term
  }
  return Math.sqrt(sum / Math.LN2)
}

function softmax(logits: Float64Array): Float64Array {
  const largest = logits.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY)
  const powers = Float64Array.from(logits, (value) => Math.exp(value - largest))
  const sum = powers.reduce((total, value) => total + value, 0)
  return powers.map((value) => value / sum)
}
