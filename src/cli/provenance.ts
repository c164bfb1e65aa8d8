/** How scores were made, as the text that every file of scores carries: equal jobs have equal texts. */

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { createRequire } from 'node:module'
import type { StreamOptions } from '../options/score-options.js'

const { version } = createRequire(import.meta.url)('#package') as { version: string }

export interface ProvenanceFacts {
  /** The ONNX file. */
  model: string
  scoring: StreamOptions
  references: readonly string[]
  seed: string
  /** Whatever else decides what is scored, such as policies for regions. */
  policies?: Readonly<Record<string, unknown>>
}

/** JSON with sorted keys. What has no effect on any number is left out, and so are times and folders. */
export async function provenanceOf(facts: ProvenanceFacts): Promise<string> {
  const { model, scoring, references, seed, policies = {} } = facts
  const { batchSize: _, outputs: __, firstExample: ___, ...parameters } = scoring
  return canonicalJson({
    program: 'deeplift',
    version,
    modelSha256: await sha256(model),
    references,
    seed,
    parameters,
    policies,
  })
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer)
  return hash.digest('hex')
}

/** Keys in order, so that the order of options does not show. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  )
}
