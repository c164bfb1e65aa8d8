/**
 * Parameters of a command as a JSON file: what is read with `--params`, what is written next to results, and the JSON
 * Schema of both. All three come from the table of the command's options.
 *
 * A parameter is named as its option in camelCase, or as the argument. What stands on the command line goes before the same
 * in the file.
 */

import { readFile } from 'node:fs/promises'
import type { Command, Option } from 'commander'
import { DeepLiftError } from '../errors.js'
import { writeText } from '../io/files.js'
import { checkKeys, invalidOption, show } from '../options/check.js'
import { collect } from './model-options.js'

export type ParameterValue = string | boolean | string[]
export type Parameters = Readonly<Record<string, ParameterValue>>

/** The argument of most commands. */
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
      ...Object.fromEntries(
        command.registeredArguments.map((each) => [
          each.name(),
          { description: each.description, type: 'string' },
        ]),
      ),
      ...properties,
    },
    additionalProperties: false,
  }
}

/** A command that takes its parameters from a file too; its arguments are optional, as they may stand there. */
export function addParametersOption(command: Command): Command {
  return command.option(
    '--params <file.json>',
    'read these options from a file; those on the command line go before',
  )
}

/**
 * Reads the file of `--params`, if there is one, into the options of a command.
 *
 * @returns the arguments: those given, or else those of the file
 */
export async function applyParameters<Given extends (string | undefined)[]>(
  command: Command,
  ...given: Given
): Promise<{ [K in keyof Given]: string }> {
  const path = command.getOptionValue('params') as string | undefined
  const parameters = path === undefined ? {} : await readParameters(path, command)
  for (const option of parameterOptions(command)) {
    const name = option.attributeName()
    const value = parameters[name]
    if (value === undefined || command.getOptionValueSource(name) === 'cli') continue
    command.setOptionValueWithSource(name, value, 'config')
  }
  const found = command.registeredArguments.map((argument, index) => {
    const name = argument.name()
    const value = given[index] ?? parameters[name]
    if (typeof value === 'string') return value
    throw invalidOption(
      `${command.name()}: name the ${name}, ${argument.description}: deeplift ${command.name()} ${usageOfArguments(command)}.`,
    )
  })
  return found as { [K in keyof Given]: string }
}

function usageOfArguments(command: Command): string {
  return command.registeredArguments.map((argument) => argument.name().toUpperCase()).join(' ')
}

/** The option without which a command has no result; a file may hold it, so it is missed after that was read. */
export function required(command: Command, name: string): string {
  const value = command.getOptionValue(name) as string | undefined
  if (value !== undefined) return value
  const option = command.options.find((each) => each.attributeName() === name)
  throw invalidOption(`${command.name()}: give ${option!.flags}.`)
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
  const names = command.registeredArguments.map((argument) => argument.name())
  checkKeys(json, ['$schema', ...names, ...options.map((option) => option.attributeName())], path)
  const given = json as Record<string, unknown>
  const values: Record<string, ParameterValue> = {}
  for (const name of names)
    if (given[name] !== undefined) values[name] = asText(given[name], `${path}: ${name}`)
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
export function effectiveParameters(command: Command, ...given: readonly string[]): Parameters {
  const names = command.registeredArguments.map((argument, index) => [argument.name(), given[index]!])
  const entries = command.options
    .map((option) => option.attributeName())
    .filter((name) => !RUN_ONLY.includes(name))
    .map((name) => [name, command.getOptionValue(name)] as const)
    .filter(([, value]) => value !== undefined)
  return { ...Object.fromEntries(names), ...Object.fromEntries(entries) }
}

export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeText(path, `${JSON.stringify(value, null, 2)}\n`)
}
