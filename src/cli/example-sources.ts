/** Where the examples of `score` and their references come from, for each input of the model. */

import { didYouMean } from '../options/check.js'
import { resolveRule, WITHOUT_REFERENCE } from '../options/rule.js'
import type { PlanChoices } from '../options/score-options.js'
import type { InputInfo } from '../options/tensor-info.js'
import { byInput, parseCount, parseReference, type ReferenceArgument, usage } from './arguments.js'
import type { FastaSource } from './records.js'

export interface SourceArguments {
  fasta?: string
  input?: string[]
  reference?: string[]
  seed: string
  unknown: string
}

export interface ExampleSources {
  fasta: FastaSource | undefined
  /** Path of a .npy file by input name. */
  files: Map<string, string>
  references: Map<string, ReferenceArgument>
}

export function exampleSources(
  options: SourceArguments,
  choices: PlanChoices,
  inputs: readonly InputInfo[],
): ExampleSources {
  const names = inputs.map(({ name }) => name)
  const files = inputFiles(options.input ?? [], names)
  const fasta = options.fasta === undefined ? undefined : fastaSource(options.fasta, files, names)
  if (!fasta && files.size === 0) throw usage('give the examples as --fasta FILE or as --input FILE.npy.')
  const missing = names.find((name) => !files.has(name) && fasta?.input !== name)
  if (missing !== undefined) throw usage(`input "${missing}" is missing: give --input ${missing}=FILE.npy.`)
  return { fasta, files, references: referenceArguments(options, choices, names) }
}

function inputFiles(texts: readonly string[], names: readonly string[]): Map<string, string> {
  if (names.length > 1)
    for (const text of texts) {
      const [name] = text.split('=', 1)
      if (!names.some((each) => text.startsWith(`${each}=`)))
        throw usage(
          `--input ${text}: the model has the inputs ${names.join(', ')}; write --input NAME=FILE.npy.` +
            didYouMean(name!, names),
        )
    }
  return byInput(texts, names, '--input')
}

/** The sequences belong to the input that is named, or to the only one without an array. */
function fastaSource(
  text: string,
  files: ReadonlyMap<string, string>,
  names: readonly string[],
): FastaSource {
  const named = names.find((name) => text.startsWith(`${name}=`))
  if (named !== undefined && !files.has(named)) return { input: named, path: text.slice(named.length + 1) }
  const [input, other] = names.filter((name) => !files.has(name))
  if (named !== undefined || input === undefined)
    throw usage(`input "${named ?? names[0]}" is given both as --fasta and as --input; give one of them.`)
  if (other !== undefined)
    throw usage(
      `--fasta ${text}: the model has the inputs ${names.join(', ')}; write --fasta NAME=FILE, and --input NAME=FILE.npy ` +
        'for the others.',
    )
  return { input, path: text }
}

function referenceArguments(
  { reference, seed, unknown }: SourceArguments,
  { rule, multiplyBy }: PlanChoices,
  names: readonly string[],
): Map<string, ReferenceArgument> {
  if (reference === undefined) {
    const free = multiplyBy === 'input' && WITHOUT_REFERENCE.includes(resolveRule(rule).rule)
    if (free) return new Map(names.map((name) => [name, 'zeros']))
    throw usage(
      'say what inputs are compared with: --reference dinuc-shuffle:20, zeros, background:.3,.2,.2,.3 or file:REFERENCES.npy.',
    )
  }
  const settings = { seed: parseCount(seed, '--seed', 0), unknown }
  const texts = byInput(reference, names, '--reference')
  const missing = names.find((name) => !texts.has(name))
  if (missing !== undefined)
    throw usage(`input "${missing}" has no reference; --reference ${missing}=self holds it fixed.`)
  return new Map([...texts].map(([name, text]) => [name, parseReference(text, settings)]))
}
