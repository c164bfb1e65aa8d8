/**
 * The manifest of a job, `job.json` in its folder: everything that decides a result, so that work which was begun is only
 * gone on with if it is the same work; and how its passes are cut into blocks, which are numbered through.
 */

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DeepLiftError } from '../../errors.js'
import { sha256Of } from '../../io/files.js'
import { MODEL, type Parameters } from '../parameters.js'
import { version } from '../version.js'
import type { Fact, Job, Range } from './job.js'

export const MANIFEST = 'job.json'

export interface PassPlan {
  unit: string
  examples: number
  /** Examples of a block; the last one has what remains. */
  blockSize: number
  blocks: number
}

export interface Manifest {
  format: 'deeplift-job'
  /** Of the layout of the folder. */
  formatVersion: 2
  /** SHA-256 of what decides the results and of how blocks are cut; every block bears it. */
  id: string
  command: string
  /** The folder that paths among the parameters start from. */
  folder: string
  parameters: Parameters
  identity: Fact[]
  passes: PassPlan[]
  /** Of all passes. */
  blocks: number
}

export function createManifest(
  { command, parameters }: Job,
  folder: string,
  identity: Fact[],
  passes: PassPlan[],
): Manifest {
  const id = createHash('sha256')
    .update(JSON.stringify([identity, passes]))
    .digest('hex')
  const blocks = passes.reduce((sum, pass) => sum + pass.blocks, 0)
  return {
    format: 'deeplift-job',
    formatVersion: 2,
    ...{ id, command, folder, parameters, identity, passes, blocks },
  }
}

/** Parameters whose files are compared by content, and the place of results. */
const BY_CONTENT = [
  MODEL,
  'bed',
  'genome',
  'fasta',
  'vcf',
  'variants',
  'peaks',
  'motifs',
  'background',
  'out',
]

/** What decides the results, with the words of messages. Paths do not, but what they lead to. */
export async function identityOf(job: Job): Promise<Fact[]> {
  const named = Object.entries(job.parameters)
    .filter(([name]) => !BY_CONTENT.includes(name))
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return [
    ['command', job.command],
    ['version of deeplift', version],
    ['model', await sha256Of(String(job.parameters[MODEL]))],
    ...(await job.identity()),
    ...named.map(([name, value]): Fact => [`--${kebab(name)}`, value]),
  ]
}

/** What is in files that parameters name. */
export async function contentsOf(paths: readonly string[]): Promise<Fact[]> {
  const facts: Fact[] = []
  for (const path of [...new Set(paths)].sort()) facts.push([`contents of ${path}`, await sha256Of(path)])
  return facts
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** Of these the values are said; of others they are checksums. */
const SAID = /^(--|version|command)/

/** In words, where two jobs differ; empty if they are the same. */
export function differences(before: readonly Fact[], now: readonly Fact[]): string[] {
  const [old, current] = [new Map(before), new Map(now)]
  const names = new Set([...old.keys(), ...current.keys()])
  return [...names].flatMap((name) => {
    const [a, b] = [old.get(name), current.get(name)].map((value) => JSON.stringify(value))
    if (a === b) return []
    return [
      SAID.test(name) ? `${name} was ${a ?? 'not given'}, now ${b ?? 'it is not given'}` : `another ${name}`,
    ]
  })
}

/** The pass that a block belongs to, and its examples. */
export function placeOf({ passes }: Manifest, block: number): Range & { pass: number } {
  let before = 0
  const pass = passes.findIndex(({ blocks }) => {
    before += blocks
    return block < before
  })
  const { blocks, blockSize, examples } = passes[pass]!
  const first = (block - before + blocks) * blockSize
  return { pass, first, end: Math.min(first + blockSize, examples) }
}

/** The blocks of a pass. */
export function blocksOfPass({ passes }: Manifest, pass: number): Range {
  const first = passes.slice(0, pass).reduce((sum, { blocks }) => sum + blocks, 0)
  return { first, end: first + passes[pass]!.blocks }
}

/** `12 of 62 regions`, and so on for each pass. */
export function describeDone({ passes }: Manifest, done: readonly number[]): string {
  return passes.map(({ examples, unit }, pass) => `${done[pass]} of ${examples} ${unit}`).join(', ')
}

export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, MANIFEST)
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === 'ENOENT' || cause.code === 'ENOTDIR' ? 'there is no such file' : cause.code
    throw new DeepLiftError('FILE_NOT_FOUND', `${folder} is not the folder of a job: ${path}: ${reason}.`, {
      cause,
      details: { path },
    })
  })
  let manifest: Partial<Manifest> | undefined
  try {
    manifest = JSON.parse(text) as Partial<Manifest>
  } catch {
    // Refused below, as any other file that is no manifest.
  }
  if (manifest?.format !== 'deeplift-job' || manifest.formatVersion !== 2)
    throw new DeepLiftError('FILE_FORMAT', `${path} is not the manifest of a job that this version reads.`, {
      details: { file: path },
    })
  return manifest as Manifest
}
