/** Where examples and their references come from, for each input of the model. */

import type { DeepLiftError } from '../errors.js'
import { didYouMean } from '../options/check.js'
import { resolveRule, WITHOUT_REFERENCE } from '../options/rule.js'
import type { PlanChoices } from '../options/score-options.js'
import type { InputInfo } from '../options/tensor-info.js'
import { byInput, parseCount, parseReference, type ReferenceArgument, usage, usageOf } from './arguments.js'

/** Where examples come from. */
export interface FileArguments {
  fasta?: string
  bed?: string
  genome?: string
  input?: string[]
}

export interface SourceArguments extends FileArguments {
  reference?: string[]
  seed: string
  unknown: string
}

/** A file of sequences or regions, and the input that they belong to. */
export interface SequenceFile {
  input: string
  path: string
}

export interface ExampleFiles {
  fasta: SequenceFile | undefined
  bed: SequenceFile | undefined
  /** Path of a .npy file by input name. */
  files: Map<string, string>
}

export interface ExampleSources extends ExampleFiles {
  references: Map<string, ReferenceArgument>
}

export function exampleSources(
  options: SourceArguments,
  choices: PlanChoices,
  inputs: readonly InputInfo[],
): ExampleSources {
  const names = inputs.map(({ name }) => name)
  return {
    ...exampleFiles('score', options, inputs),
    references: referenceArguments(options, choices, names),
  }
}

/** The files of examples alone; `command` is named in errors. */
export function exampleFiles(
  command: string,
  options: FileArguments,
  inputs: readonly InputInfo[],
): ExampleFiles {
  const refuse = (message: string) => usageOf(command, message)
  const names = inputs.map(({ name }) => name)
  if (options.fasta !== undefined && options.bed !== undefined)
    throw refuse('sequences come from --fasta or from --bed, not from both.')
  if ((options.bed === undefined) !== (options.genome === undefined))
    throw refuse('--bed and --genome belong together: regions, and the genome that they are cut from.')
  const files = inputFiles(options.input ?? [], names, refuse)
  const find = (option: 'fasta' | 'bed') =>
    options[option] === undefined ? undefined : sequenceFile(option, options[option], files, names, refuse)
  const [fasta, bed] = [find('fasta'), find('bed')]
  const sequences = fasta ?? bed
  if (!sequences && files.size === 0)
    throw refuse('give the examples as --fasta FILE, as --bed FILE --genome FILE, or as --input FILE.npy.')
  const missing = names.find((name) => !files.has(name) && sequences?.input !== name)
  if (missing !== undefined) throw refuse(`input "${missing}" is missing: give --input ${missing}=FILE.npy.`)
  return { fasta, bed, files }
}

export type Refuse = (message: string) => DeepLiftError

function inputFiles(texts: readonly string[], names: readonly string[], refuse: Refuse): Map<string, string> {
  if (names.length > 1)
    for (const text of texts) {
      const [name] = text.split('=', 1)
      if (!names.some((each) => text.startsWith(`${each}=`)))
        throw refuse(
          `--input ${text}: the model has the inputs ${names.join(', ')}; write --input NAME=FILE.npy.` +
            didYouMean(name!, names),
        )
    }
  return byInput(texts, names, '--input')
}

/** The sequences belong to the input that is named, or to the only one without an array. */
function sequenceFile(
  option: string,
  text: string,
  files: ReadonlyMap<string, string>,
  names: readonly string[],
  refuse: Refuse,
): SequenceFile {
  const named = names.find((name) => text.startsWith(`${name}=`))
  if (named !== undefined && !files.has(named)) return { input: named, path: text.slice(named.length + 1) }
  const [input, other] = names.filter((name) => !files.has(name))
  if (named !== undefined || input === undefined)
    throw refuse(
      `input "${named ?? names[0]}" is given both as --${option} and as --input; give one of them.`,
    )
  if (other !== undefined)
    throw refuse(
      `--${option} ${text}: the model has the inputs ${names.join(', ')}; write --${option} NAME=FILE, and ` +
        '--input NAME=FILE.npy for the others.',
    )
  return { input, path: text }
}

/** References of all inputs; `refuse` makes the errors of the command. */
export function referenceArguments(
  { reference, seed, unknown }: Pick<SourceArguments, 'reference' | 'seed' | 'unknown'>,
  { rule, multiplyBy }: PlanChoices,
  names: readonly string[],
  refuse: Refuse = usage,
): Map<string, ReferenceArgument> {
  if (reference === undefined) {
    const free = multiplyBy === 'input' && WITHOUT_REFERENCE.includes(resolveRule(rule).rule)
    if (free) return new Map(names.map((name) => [name, 'zeros']))
    throw refuse(
      'say what inputs are compared with: --reference dinuc-shuffle:20, zeros, background:.3,.2,.2,.3 or file:REFERENCES.npy.',
    )
  }
  const settings = { seed: parseCount(seed, '--seed', 0), unknown }
  const texts = byInput(reference, names, '--reference')
  const missing = names.find((name) => !texts.has(name))
  if (missing !== undefined)
    throw refuse(`input "${missing}" has no reference; --reference ${missing}=self holds it fixed.`)
  return new Map([...texts].map(([name, text]) => [name, parseReference(text, settings)]))
}
