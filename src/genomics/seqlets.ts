/**
 * Seqlets: spans of high contributions, by the recursive rule of tangermeme (Schreiber 2025, `recursive_seqlets`).
 *
 * Contributions of positions are put into bins. As if positions were independent draws from the histogram of all of
 * them, a span of n positions has a p-value: the probability that n draws sum to as many bins or more. A span is a
 * candidate if it and every span inside it, from the shortest length on, has a p-value below the threshold. Candidates
 * are taken from the longest to the shortest, the smallest p-value first, unless they overlap one that is taken.
 *
 * P-values rank spans; they are no error rates, since neighbouring contributions go together and the null
 * distribution contains the signal: seqlet-rates.ts finds a threshold of a given error rate. Spans of low contributions
 * are called on contributions of the other sign.
 */

export interface SeqletOptions {
  /** P-values of a seqlet and of all spans inside it are below this. Default 0.01. */
  threshold?: number
  /** Positions. Default 4. */
  shortest?: number
  /** Positions. Default 25. */
  longest?: number
  /** Positions added on both sides of each seqlet; they may overlap. Default 0. */
  flanks?: number
}

export interface Seqlet {
  /** `[start, end)` in the sequence. */
  start: number
  end: number
  /** Sum of contributions. */
  attribution: number
  /** Of the span without flanks. */
  pValue: number
}

const BINS = 1000

/** The null distribution, from a pass for the range of all contributions and one for their histogram. */
export class SeqletCaller {
  #smallest = Number.POSITIVE_INFINITY
  #largest = Number.NEGATIVE_INFINITY
  readonly #counts = new Float64Array(BINS)
  #total = 0
  /** Per length, the probability of a sum of at least so many bins. */
  #tails: Float64Array[] = []
  readonly #options: Required<SeqletOptions>

  constructor(options: SeqletOptions = {}) {
    this.#options = { threshold: 0.01, shortest: 4, longest: 25, flanks: 0, ...options }
  }

  /** First pass, over the contributions of all sequences. */
  measure(contributions: Float32Array): void {
    for (const value of contributions) {
      if (value < this.#smallest) this.#smallest = value
      if (value > this.#largest) this.#largest = value
    }
  }

  /** Second pass, over the same contributions. */
  count(contributions: Float32Array): void {
    if (this.#constant) return
    for (const value of contributions) this.#counts[this.#binOf(value)]!++
    this.#total += contributions.length
  }

  /**
   * Seqlets of one sequence, after both passes.
   *
   * @param threshold In place of the one of the options.
   */
  call(contributions: Float32Array, threshold = this.#options.threshold): Seqlet[] {
    const spans = this.#spans(contributions)
    if (!spans) return []
    const { flanks } = this.#options
    const { length } = contributions
    const sums = new Float64Array(length + 1)
    for (const [index, value] of contributions.entries()) sums[index + 1] = sums[index]! + value
    return choose(spans.below(threshold), threshold, length).map(({ first, size }) => {
      const start = Math.max(0, first - flanks)
      const end = Math.min(length, first + size + flanks)
      return { start, end, attribution: sums[end]! - sums[start]!, pValue: spans.pValue(size, first) }
    })
  }

  /** How many seqlets one sequence, of these or of others, has at each of falling thresholds. */
  countAt(contributions: Float32Array, thresholds: readonly number[]): number[] {
    const counts = thresholds.map(() => 0)
    const candidates = this.#spans(contributions)?.below(thresholds[0]!) ?? []
    for (const [index, threshold] of thresholds.entries()) {
      counts[index] = choose(candidates, threshold, contributions.length).length
      if (counts[index] === 0) break
    }
    return counts
  }

  #spans(contributions: Float32Array): Spans | undefined {
    const { longest, shortest } = this.#options
    if (this.#constant) return undefined
    if (this.#tails.length === 0) this.#tails = tails(this.#counts, this.#total, longest)
    const bins = new Float64Array(contributions.length + 1)
    for (const [index, value] of contributions.entries()) bins[index + 1] = bins[index]! + this.#binOf(value)
    return new Spans(bins, this.#tails, shortest, Math.min(longest, contributions.length))
  }

  get #constant(): boolean {
    return !(this.#largest > this.#smallest)
  }

  /** Differences of contributions are float32, widths of bins are not. */
  #binOf(value: number): number {
    const width = Math.fround(this.#largest - this.#smallest) / (BINS - 1)
    const bin = Math.floor(Math.fround(value - this.#smallest) / width)
    return Math.min(Math.max(bin, 0), BINS - 1)
  }
}

/** A span that may be a seqlet. */
interface Candidate {
  first: number
  size: number
  /** The largest p-value of all spans inside it. */
  inside: number
}

/** Those below the threshold that overlap none before them. */
function choose(candidates: readonly Candidate[], threshold: number, length: number): Candidate[] {
  const taken = new Uint8Array(length)
  return candidates.filter(({ first, size, inside }) => {
    if (!(inside < threshold)) return false
    for (let position = first; position < first + size; position++) if (taken[position]) return false
    taken.fill(1, first, first + size)
    return true
  })
}

/** The spans of one sequence. */
class Spans {
  /** Per length, the largest p-value of the prefixes of a span. */
  readonly #prefixes: Float64Array[] = []
  /** Per length, the largest p-value of all spans inside a span. */
  readonly #inside: Float64Array[] = []

  constructor(
    private readonly bins: Float64Array,
    private readonly tails: readonly Float64Array[],
    private readonly shortest: number,
    private readonly longest: number,
  ) {
    const length = bins.length - 1
    for (let size = shortest; size <= longest; size++) {
      const prefixes = new Float64Array(length)
      const inside = new Float64Array(length + 1)
      const shorter = this.#prefixes[size - 1]
      const within = this.#inside[size - 1]
      for (let start = 0; start + size <= length; start++) {
        prefixes[start] = Math.max(this.pValue(size, start), shorter?.[start] ?? 0)
        inside[start] = Math.max(prefixes[start]!, within?.[start + 1] ?? 0)
      }
      this.#prefixes[size] = prefixes
      this.#inside[size] = inside
    }
  }

  pValue(size: number, start: number): number {
    return this.tails[size]![this.bins[start + size]! - this.bins[start]!]!
  }

  /** The longest first; of one length the smallest p-value first. */
  below(threshold: number): Candidate[] {
    const found: Candidate[] = []
    for (let size = this.longest; size >= this.shortest; size--) {
      const [prefixes, inside] = [this.#prefixes[size]!, this.#inside[size]!]
      const ofSize: Candidate[] = []
      for (let first = 0; first + size < this.bins.length; first++)
        if (inside[first]! < threshold) ofSize.push({ first, size, inside: inside[first]! })
      ofSize.sort((a, b) => prefixes[a.first]! - prefixes[b.first]! || a.first - b.first)
      for (const each of ofSize) found.push(each)
    }
    return found
  }
}

/** Summed from the largest sum downwards: 1 − CDF would lose small probabilities to rounding. */
function tails(counts: Float64Array, total: number, longest: number): Float64Array[] {
  const histogram = counts.map((count) => count / total)
  let sums = Float64Array.of(1)
  const found: Float64Array[] = []
  for (let size = 0; size <= longest; size++) {
    if (size > 0) sums = convolve(sums, histogram)
    const tail = new Float64Array(sums.length + 1)
    for (let sum = sums.length - 1; sum >= 0; sum--) tail[sum] = tail[sum + 1]! + sums[sum]!
    found.push(tail)
  }
  return found
}

function convolve(a: Float64Array, b: Float64Array): Float64Array<ArrayBuffer> {
  const out = new Float64Array(a.length + b.length - 1)
  for (const [shift, factor] of a.entries())
    if (factor !== 0) for (let index = 0; index < b.length; index++) out[shift + index]! += factor * b[index]!
  return out
}
