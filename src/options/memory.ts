/** Amounts of memory: a number of bytes, or text such as '2GB' or '512 MiB'. */

import { invalidOption, show } from './check.js'

const UNITS: Record<string, number> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
}

/** Less than this cannot hold the activations of any network. */
const SMALLEST = 1e6

export function parseMemory(value: unknown): number {
  const [, amount, unit = 'b'] =
    typeof value === 'string' ? (/^\s*(\d+(?:\.\d+)?)\s*([a-z]+)?\s*$/i.exec(value) ?? []) : ['', value]
  const bytes = Math.floor(Number(amount) * (UNITS[String(unit).toLowerCase()] ?? Number.NaN))
  if (!Number.isSafeInteger(bytes) || bytes < SMALLEST)
    throw invalidOption(
      `memory: expected bytes as a number or text such as '2GB' or '512MiB', at least 1MB; found ${show(value)}.`,
      { option: 'memory' },
    )
  return bytes
}
