/** Values of options as they are written on the command line. */

import { DeepLiftError } from '../errors.js'
import type { Rule, RuleName } from '../options/rule.js'
import type { TargetObject } from '../options/target.js'
import type { TensorInfo } from '../options/tensor-info.js'
import { type DinucleotideShuffle, dinucleotideShuffle } from '../references.js'

function wrong(message: string): DeepLiftError {
  return new DeepLiftError('INVALID_OPTION', message)
}

/** `3`, `logits`, `logits:3`, or `profile:0,57` with one number per axis. */
export function parseTarget(text: string, outputs: readonly TensorInfo[]): TargetObject {
  if (outputs.some(({ name }) => name === text)) return { output: text }
  const [, output, numbers] = /^(?:(.*):)?(\d+(?:,\d+)*)$/.exec(text) ?? []
  if (numbers === undefined) return { output: text }
  const index = numbers.split(',').map(Number)
  return {
    ...(output !== undefined && { output }),
    index: index.length === 1 ? index[0]! : index,
  }
}

/** `--rule`, and `--override node=rule` as often as needed. */
export function parseRule(rule: string | undefined, overrides: readonly string[]): Rule | undefined {
  if (overrides.length === 0) return rule as RuleName | undefined
  const pairs = overrides.map((text) => {
    const at = text.lastIndexOf('=')
    if (at <= 0) throw wrong(`--override: expected NODE=RULE, found "${text}".`)
    return [text.slice(0, at), text.slice(at + 1)] as const
  })
  return {
    ...(rule !== undefined && { default: rule as RuleName }),
    overrides: Object.fromEntries(pairs) as Record<string, RuleName>,
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
 * Splits `name=value` arguments by input. One argument without a name belongs to all inputs; a `=` that follows no
 * input's name is part of the value.
 */
export function byInput(
  texts: readonly string[],
  names: readonly string[],
  option: string,
): Map<string, string> {
  const found = new Map<string, string>()
  for (const text of texts) {
    const name = names.find((each) => text.startsWith(`${each}=`))
    for (const [key, value] of name === undefined
      ? names.map((each) => [each, text] as const)
      : [[name, text.slice(name.length + 1)] as const]) {
      if (found.has(key))
        throw wrong(
          `${option}: input "${key}" is given twice` +
            `${names.length > 1 && name === undefined ? `; the model has the inputs ${names.join(', ')}: write ${option} ${names[0]}=…` : ''}.`,
        )
      found.set(key, value)
    }
  }
  return found
}
