/** Checks that options share: each says what was expected, what was found, and the closest thing that exists. */

import { DeepLiftError } from '../errors.js'

/** A value as messages show it. */
export function show(value: unknown): string {
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name}`
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const name = value.constructor?.name
    return name && name !== 'Object' ? `a ${name}` : `{ ${Object.keys(value).slice(0, 5).join(', ')} }`
  }
  if (typeof value === 'number' || value === undefined) return String(value)
  const text = JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

export function invalidOption(message: string, details?: Record<string, unknown>): DeepLiftError {
  return new DeepLiftError('INVALID_OPTION', message, details && { details })
}

/** Refuses keys that are not options of `where`, and values that are not plain objects. */
export function checkKeys(options: unknown, known: readonly string[], where: string): void {
  if (
    typeof options !== 'object' ||
    options === null ||
    Array.isArray(options) ||
    ArrayBuffer.isView(options)
  )
    throw invalidOption(`${where}: expected an object of options, found ${show(options)}.`)
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue
    throw invalidOption(
      `${where}: there is no option ${JSON.stringify(key)}.${didYouMean(key, known)} ` +
        `Options are ${known.join(', ')}.`,
      { option: key },
    )
  }
}

export function checkChoice<T extends string>(value: unknown, choices: readonly T[], name: string): T {
  if ((choices as readonly unknown[]).includes(value)) return value as T
  const hint = typeof value === 'string' ? didYouMean(value, choices) : ''
  throw invalidOption(
    `${name}: expected ${choices.map((choice) => `'${choice}'`).join(' or ')}, found ${show(value)}.${hint}`,
    { option: name },
  )
}

export function checkBoolean(value: unknown, name: string): boolean {
  if (typeof value === 'boolean') return value
  throw invalidOption(`${name}: expected true or false, found ${show(value)}.`, { option: name })
}

export function checkWholeNumber(value: unknown, smallest: number, name: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= smallest) return value as number
  throw invalidOption(`${name}: expected a whole number of at least ${smallest}, found ${show(value)}.`, {
    option: name,
  })
}

export function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return signal
  throw invalidOption(`signal: expected an AbortSignal, found ${show(signal)}.`, { option: 'signal' })
}

export function checkFunction<T>(value: T | undefined, name: string): T | undefined {
  if (value === undefined || typeof value === 'function') return value
  throw invalidOption(`${name}: expected a function, found ${show(value)}.`, { option: name })
}

/** ` Did you mean "x"?`, or nothing where no candidate is near. */
export function didYouMean(name: string, candidates: readonly string[]): string {
  const near = candidates
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= Math.max(1, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.distance - b.distance)[0]
  return near ? ` Did you mean ${JSON.stringify(near.candidate)}?` : ''
}

/** Levenshtein distance; two neighbours that are swapped count once. */
function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replace = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      let best = Math.min(replace, rows[i - 1]![j]! + 1, row[j - 1]! + 1)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, rows[i - 2]![j - 2]! + 1)
      row.push(best)
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}
