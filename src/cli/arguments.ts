/** Values of options as they are written on the command line. */

import { DeepLiftError } from '../errors.js'
import type { NodeRuleName, Rule, RuleName } from '../options/rule.js'
import { type DinucleotideShuffle, dinucleotideShuffle } from '../references.js'

function wrong(message: string): DeepLiftError {
  return new DeepLiftError('INVALID_OPTION', message)
}

/** Arguments of `score` that do not fit together, or not to the model. */
export function usage(message: string): DeepLiftError {
  return usageOf('score', message)
}

export function usageOf(command: string, message: string): DeepLiftError {
  return wrong(`${command}: ${message}`)
}

/** `--rule NAME` or `--rule integrated-gradients:STEPS`, and `--override node=rule` as often as needed. */
export function parseRule(rule: string | undefined, overrides: readonly string[]): Rule | undefined {
  if (rule === undefined && overrides.length === 0) return undefined
  const [name, steps] = rule?.split(':', 2) ?? []
  const pairs = overrides.map((text) => {
    const at = text.lastIndexOf('=')
    if (at <= 0) throw wrong(`--override: expected NODE=RULE, found "${text}".`)
    return [text.slice(0, at), text.slice(at + 1)] as const
  })
  return {
    ...(name !== undefined && { default: name as RuleName }),
    ...(steps !== undefined && { steps: parseCount(steps, `--rule ${name}`, 1) }),
    ...(pairs.length > 0 && { overrides: Object.fromEntries(pairs) as Record<string, NodeRuleName> }),
  }
}

/** A reference as written; a file is read later, when the input it belongs to is known. */
export type ReferenceArgument =
  | 'zeros'
  | 'background'
  | 'self'
  | { background: number[] }
  | DinucleotideShuffle
  | { file: string }

const REFERENCE_FORMS =
  'dinuc-shuffle[:COUNT], zeros, background[:A,C,G,T], file:REFERENCES.npy or self, each with NAME= before it if ' +
  'the model has several inputs'

export function parseReference(text: string, settings: { seed: number; unknown: string }): ReferenceArgument {
  const colon = text.indexOf(':')
  const kind = colon < 0 ? text : text.slice(0, colon)
  const rest = colon < 0 ? undefined : text.slice(colon + 1)
  if (kind === 'file' && rest) return { file: rest }
  if (kind === 'dinuc-shuffle') {
    const count = rest === undefined ? 20 : parseCount(rest, '--reference dinuc-shuffle', 1)
    return dinucleotideShuffle({ count, seed: settings.seed, unknown: settings.unknown as 'symbol' })
  }
  if (kind === 'background' && rest !== undefined) return { background: rest.split(',').map(parseNumber) }
  if (rest === undefined && (kind === 'zeros' || kind === 'background' || kind === 'self')) return kind
  throw wrong(`--reference: expected ${REFERENCE_FORMS}; found "${text}".`)
}

function parseNumber(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw wrong(`expected a number, found "${text}".`)
  return value
}

export function parseCount(text: string, name: string, smallest: number): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < smallest)
    throw wrong(`${name}: expected a whole number of at least ${smallest}, found "${text}".`)
  return value
}

/**
 * Splits `name=value` arguments by input. One argument without a name belongs to all inputs that have none of their
 * own; a `=` that follows no input's name is part of the value.
 */
export function byInput(
  texts: readonly string[],
  names: readonly string[],
  option: string,
): Map<string, string> {
  const found = new Map<string, string>()
  let common: string | undefined
  for (const text of texts) {
    const name = names.find((each) => text.startsWith(`${each}=`))
    const twice = name === undefined ? common !== undefined : found.has(name)
    if (twice)
      throw wrong(
        name === undefined
          ? `${option} is given twice without the name of an input` +
              `${names.length > 1 ? `; the model has the inputs ${names.join(', ')}: write ${option} ${names[0]}=…` : ''}.`
          : `${option}: input "${name}" is given twice.`,
      )
    if (name === undefined) common = text
    else found.set(name, text.slice(name.length + 1))
  }
  if (common !== undefined) for (const name of names) if (!found.has(name)) found.set(name, common)
  return found
}

/** Which of several targets of a file, if it is said. */
export function parseTargetNumber(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseCount(text, '--target', 0)
}
