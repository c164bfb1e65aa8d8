/** Where completeness is lost: per node, how far the contributions that enter it are from those that leave it. */

import type { NativeResidual } from './native.js'

/** One node of a trace. */
export interface NodeResidual {
  /** Name of the node in the file. */
  node: string
  op: string
  /** How multipliers pass it. */
  rule: string
  /** |sum of contributions of its inputs − sum of those of its output|, the largest over examples and references. */
  residual: number
  /** The same, relative to the difference of the target. */
  relative: number
}

/** The residuals of all batches, the worst first. */
export class ResidualTable {
  readonly #rows = new Map<string, NodeResidual>()

  /** @param json What native code gives for one batch. */
  add(json: string): void {
    // Nodes that exporters left unnamed may share a name, so the place in the list counts among equals.
    const seen = new Map<string, number>()
    for (const row of JSON.parse(json) as NativeResidual[]) {
      const name = JSON.stringify([row.node, row.op])
      const place = seen.get(name) ?? 0
      seen.set(name, place + 1)
      const key = `${name}${place}`
      const before = this.#rows.get(key)
      this.#rows.set(key, {
        ...row,
        residual: Math.max(row.residual, before?.residual ?? 0),
        relative: Math.max(row.relative, before?.relative ?? 0),
      })
    }
  }

  rows(): NodeResidual[] {
    return [...this.#rows.values()].sort((a, b) => b.relative - a.relative || b.residual - a.residual)
  }
}
