/**
 * Parameters of a command as a JSON file: what is read with `--params`, what is written next to results, and the JSON
 * Schema of both. All three come from the table of the command's options.
 *
 * A parameter is named as its option in camelCase; `model` is the argument. An option on the command line goes before
 * the same one in the file.
 */

import { readFile } from 'node:fs/promises'
import type { Command, Option } from 'commander'
import { DeepLiftError } from '../errors.js'
import { writeText } from '../io/files.js'
import { checkKeys, invalidOption, show } from '../options/check.js'
import { collect } from './model-options.js'

export type ParameterValue = string | boolean | string[]
export type Parameters = Readonly<Record<string, ParameterValue>>

/** The argument that is a parameter too. */
export const MODEL = 'model'

/** Options that have no effect on any result: how a command runs and what it prints. */
const RUN_ONLY = [
  ...['params', 'threads', 'memory', 'batch', 'quiet', 'json', 'progress', 'restart', 'keepJob'],
  'traceCompleteness',
]

/** Options of a parameters file that change nothing about results, but may stand there. */
const ALLOWED = ['threads', 'memory', 'batch']

function parameterOptions(command: Command): Option[] {
  return command.options.filter((option) => {
    const name = option.attributeName()
    return !RUN_ONLY.includes(name) || ALLOWED.includes(name)
  })
}

function isFlag(option: Option): boolean {
  return option.isBoolean() || option.negate
}

function isRepeatable(option: Option): boolean {
  return option.parseArg === collect
}

/** The JSON Schema (2020-12) of the parameters of a command. */
export function parameterSchema(command: Command): object {
  const text = { type: ['string', 'number'] }
  const properties = Object.fromEntries(
    parameterOptions(command).map((option) => {
      const value = option.argChoices ? { enum: option.argChoices } : text
      const type = isFlag(option)
        ? { type: 'boolean' }
        : isRepeatable(option)
          ? { anyOf: [text, { type: 'array', items: text }] }
          : value
      const given = option.defaultValue !== undefined && { default: option.defaultValue }
      const description = option.negate ? `false: ${option.description}` : option.description
      return [option.attributeName(), { description, ...type, ...given }]
    }),
  )
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: `Parameters of deeplift ${command.name()}`,
    type: 'object',
    properties: {
      $schema: { type: 'string' },
      [MODEL]: { description: 'ONNX file', type: 'string' },
      ...properties,
    },
    additionalProperties: false,
  }
}

/**
 * Reads the file of `--params`, if there is one, into the options of a command.
 *
 * @returns the model: the argument, or else that of the file
 */
export async function applyParameters(command: Command, model: string | undefined): Promise<string> {
  const path = command.getOptionValue('params') as string | undefined
  const parameters = path === undefined ? {} : await readParameters(path, command)
  for (const option of parameterOptions(command)) {
    const name = option.attributeName()
    const value = parameters[name]
    if (value === undefined || command.getOptionValueSource(name) === 'cli') continue
    command.setOptionValueWithSource(name, value, 'config')
  }
  const found = model ?? parameters[MODEL]
  if (typeof found !== 'string')
    throw invalidOption(`${command.name()}: name the model: deeplift ${command.name()} MODEL.onnx.`)
  return found
}

async function readParameters(path: string, command: Command): Promise<Record<string, ParameterValue>> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === 'ENOENT' ? 'does not exist' : `cannot be opened (${cause.code})`
    throw new DeepLiftError('FILE_NOT_FOUND', `${path} ${reason}.`, { cause, details: { path } })
  })
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new DeepLiftError('FILE_FORMAT', `${path} is no JSON: ${(cause as Error).message}.`, { cause })
  }
  const options = parameterOptions(command)
  checkKeys(json, ['$schema', MODEL, ...options.map((option) => option.attributeName())], path)
  const given = json as Record<string, unknown>
  const values: Record<string, ParameterValue> = {}
  if (given[MODEL] !== undefined) values[MODEL] = asText(given[MODEL], `${path}: ${MODEL}`)
  for (const option of options) {
    const name = option.attributeName()
    if (given[name] !== undefined) values[name] = parameterValue(given[name], option, `${path}: ${name}`)
  }
  return values
}

function parameterValue(value: unknown, option: Option, where: string): ParameterValue {
  if (isFlag(option)) {
    if (typeof value === 'boolean') return value
    throw invalidOption(`${where}: expected true or false, found ${show(value)}.`)
  }
  if (isRepeatable(option)) return (Array.isArray(value) ? value : [value]).map((each) => asText(each, where))
  const text = asText(value, where)
  if (option.argChoices && !option.argChoices.includes(text))
    throw invalidOption(`${where}: expected ${option.argChoices.join(' or ')}, found ${show(text)}.`)
  return text
}

function asText(value: unknown, where: string): string {
  if (typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value))) return String(value)
  throw invalidOption(`${where}: expected a text or a number, found ${show(value)}.`)
}

/** What a command was asked for and its defaults, without what has no effect on results. */
export function effectiveParameters(command: Command, model: string): Parameters {
  const entries = command.options
    .map((option) => option.attributeName())
    .filter((name) => !RUN_ONLY.includes(name))
    .map((name) => [name, command.getOptionValue(name)] as const)
    .filter(([, value]) => value !== undefined)
  return { [MODEL]: model, ...Object.fromEntries(entries) }
}

export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeText(path, `${JSON.stringify(value, null, 2)}\n`)
}
