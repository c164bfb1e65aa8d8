/**
 * False discovery rates of seqlets, from contributions of sequences without signal, as tangermeme estimates them
 * (`recursive_seqlets` with `X_control`).
 *
 * The p-values of seqlets cannot be corrected for their number, say by Benjamini and Hochberg's rule, since they are not
 * uniform where there is no signal. A control shows how many are called there: at a threshold, the rate is the number
 * of seqlets of the control and one, per position, divided by the number of seqlets per position.
 */

/** Falling, four per decade. */
export const THRESHOLDS: readonly number[] = Array.from({ length: 117 }, (_, step) => 10 ** (-1 - step / 4))

/** What is called at one threshold. */
export interface SeqletRate {
  threshold: number
  /** In the sequences. */
  seqlets: number
  /** In the control. */
  control: number
  /** The estimated share of false ones; null where there are no seqlets. */
  rate: number | null
}

/** Seqlets at each of {@link THRESHOLDS}, and the positions that they were looked for in. */
export interface SeqletCounts {
  counts: readonly number[]
  positions: number
}

export function seqletRates(scores: SeqletCounts, control: SeqletCounts): SeqletRate[] {
  const scale = scores.positions / control.positions
  return THRESHOLDS.map((threshold, index) => {
    const [seqlets, called] = [scores.counts[index]!, control.counts[index]!]
    const rate = seqlets > 0 ? ((called + 1) * scale) / seqlets : null
    return { threshold, seqlets, control: called, rate }
  })
}

/** That of the largest threshold whose rate is not above `rate`; undefined if none is. */
export function atRate(rates: readonly SeqletRate[], rate: number): SeqletRate | undefined {
  return rates.find((each) => each.rate !== null && each.rate <= rate)
}
