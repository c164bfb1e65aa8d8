/** Where many windows lie, in a few bytes each. */

import type { Site } from './rows.js'

export class SiteList {
  length = 0
  #places = new Float64Array(4 * 1024)
  readonly #names: string[] = []
  readonly #numbers = new Map<string, number>()

  static from(sites: Iterable<Site>): SiteList {
    const list = new SiteList()
    for (const site of sites) list.push(site)
    return list
  }

  push({ chrom, start, end, summit }: Site): void {
    let number = this.#numbers.get(chrom)
    if (number === undefined) {
      number = this.#names.push(chrom) - 1
      this.#numbers.set(chrom, number)
    }
    const at = 4 * this.length++
    if (at === this.#places.length) {
      const larger = new Float64Array(2 * at)
      larger.set(this.#places)
      this.#places = larger
    }
    this.#places.set([number, start, end, summit], at)
  }

  /** The windows by their numbers, in the order of chromosomes and starts. */
  order(chroms: Iterable<string>): Uint32Array {
    const ranks = new Map([...chroms].map((chrom, rank) => [chrom, rank]))
    const rankOf = this.#names.map((name) => ranks.get(name)!)
    const places = this.#places
    return Uint32Array.from({ length: this.length }, (_, row) => row).sort(
      (a, b) =>
        rankOf[places[4 * a]!]! - rankOf[places[4 * b]!]! || places[4 * a + 1]! - places[4 * b + 1]! || a - b,
    )
  }

  /** Undefined beyond the last. */
  at(row: number): Site | undefined {
    if (row >= this.length) return undefined
    const [number, start, end, summit] = this.#places.subarray(4 * row, 4 * row + 4) as unknown as number[]
    return { chrom: this.#names[number!]!, start: start!, end: end!, summit: summit! }
  }
}
