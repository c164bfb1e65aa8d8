/** How scores were made, as the text that every file of scores carries: equal jobs have equal texts. */

import { sha256Of } from '../io/files.js'
import type { StreamOptions } from '../options/score-options.js'
import type { Parameters } from './parameters.js'
import { version } from './version.js'

export interface ProvenanceFacts {
  /** The ONNX file. */
  model: string
  scoring: StreamOptions
  references: readonly string[]
  seed: string
  /** Whatever else decides what is scored, such as policies for regions. */
  policies?: Readonly<Record<string, unknown>>
}

/** Of results that are no scores: the program, the model, and what else decides them. */
export async function provenanceText(
  model: string,
  facts: Readonly<Record<string, unknown>>,
): Promise<string> {
  return canonicalJson({ program: 'deeplift', version, modelSha256: await sha256Of(model), ...facts })
}

/** JSON with sorted keys. What has no effect on any number is left out, and so are times and folders. */
export async function provenanceOf(facts: ProvenanceFacts): Promise<string> {
  const { model, scoring, references, seed, policies = {} } = facts
  const { batchSize: _, outputs: __, firstExample: ___, ...parameters } = scoring
  return await provenanceText(model, { references, seed, parameters, policies })
}

/** Parameters that name files; of these the text holds what is in them, not where they are. */
const FILES = ['vcf', 'variants', 'peaks', 'motifs', 'background']
const PLACES = ['model', 'genome', 'out']

/** What has an effect on no number. */
const WITHOUT_EFFECT = ['block']

/** Of comparisons of sequences: all parameters that decide a number. */
export async function provenanceOfParameters(
  parameters: Parameters,
  facts: Readonly<Record<string, unknown>>,
): Promise<string> {
  const hashes: Record<string, string> = {}
  for (const name of FILES)
    if (typeof parameters[name] === 'string') hashes[`${name}Sha256`] = await sha256Of(parameters[name])
  const others = Object.entries(parameters).filter(
    ([name]) => ![...FILES, ...PLACES, ...WITHOUT_EFFECT].includes(name),
  )
  const model = String(parameters.model)
  return await provenanceText(model, { parameters: Object.fromEntries(others), files: hashes, ...facts })
}

/** Keys in order, so that the order of options does not show. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  )
}
