/** What was compared with what: every number beside the expected one, and every claim beside its evidence. */

export interface Comparison {
  name: string
  actual: number
  expected: number
  difference: number
  /** Largest |difference| that still is the same number. */
  tolerance: number
  holds: boolean
}

export interface Claim {
  name: string
  /** The numbers that decide it. */
  evidence: string
  holds: boolean
}

export class Ledger {
  readonly comparisons: Comparison[] = []
  readonly claims: Claim[] = []

  compare(name: string, actual: number, expected: number, tolerance: number): void {
    const difference = actual - expected
    const holds = Math.abs(difference) <= tolerance
    this.comparisons.push({ name, actual, expected, difference, tolerance, holds })
  }

  claim(name: string, holds: boolean, evidence: string): void {
    this.claims.push({ name, evidence, holds })
  }

  /** One line per number or claim that does not hold. */
  get failures(): string[] {
    return [
      ...this.comparisons
        .filter(({ holds }) => !holds)
        .map(
          ({ name, actual, expected, tolerance }) =>
            `${name}: expected ${expected} ± ${tolerance}, found ${actual}`,
        ),
      ...this.claims.filter(({ holds }) => !holds).map(({ name, evidence }) => `${name}: ${evidence}`),
    ]
  }
}
