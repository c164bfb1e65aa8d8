/** One of several targets that share a file or a run. */

interface Provenance {
  parameters?: { target?: unknown }
}

/** How many targets scores have in an axis of their own; undefined without such an axis. */
export function targetCount(provenance: string | undefined): number | undefined {
  const target = parse(provenance)?.parameters?.target
  return Array.isArray(target) ? target.length : undefined
}

/** The provenance of the scores of one target alone. */
export function provenanceOfTarget(provenance: string, target: number): string {
  const facts = parse(provenance)
  const targets = facts?.parameters?.target
  if (!Array.isArray(targets)) return provenance
  return JSON.stringify({ ...facts, parameters: { ...facts!.parameters, target: targets[target] } })
}

function parse(provenance: string | undefined): Provenance | undefined {
  return provenance === undefined ? undefined : (JSON.parse(provenance) as Provenance)
}

/** `[n, …]` of one target from `[n, targets, …]`. */
export function valuesOfTarget<A extends Float32Array | Float64Array>(
  values: A,
  shape: readonly number[],
  target: number,
): A {
  const [rows = 0, targets = 1] = shape
  const size = values.length / (rows * targets)
  const out = values.slice(0, rows * size) as A
  for (let row = 0; row < rows; row++) {
    const from = (row * targets + target) * size
    out.set(values.subarray(from, from + size), row * size)
  }
  return out
}
