/** The worst error of each group of comparisons, printed when a test file is done. */

import { afterAll } from 'vitest'

export class Worst {
  readonly #rows = new Map<string, { error: number; limit: number; where: string; count: number }>()

  constructor(title: string) {
    afterAll(() => {
      const rows = [...this.#rows].map(([group, { error, limit, where, count }]) =>
        [group, `${count}`, error.toExponential(1), (error / limit).toFixed(3), where].join('\t'),
      )
      if (rows.length > 0)
        console.info([title, 'group\tcompared\tworst error\tof its limit\twhere', ...rows].join('\n'))
    })
  }

  /** Worst is what comes closest to its limit. */
  note(group: string, error: number, limit: number, where: string): void {
    const row = this.#rows.get(group)
    const count = (row?.count ?? 0) + 1
    if (!row || error / limit > row.error / row.limit) this.#rows.set(group, { error, limit, where, count })
    else row.count = count
  }
}
