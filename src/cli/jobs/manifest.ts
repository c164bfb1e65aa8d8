/**
 * The manifest of a job, `job.json` in its folder: everything that decides a result, so that work which was begun is only
 * gone on with if it is the same work.
 */

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DeepLiftError } from '../../errors.js'
import type { DropReason } from '../../genomics/region.js'
import type { OutputName } from '../../options/score-options.js'
import { MODEL, type Parameters } from '../parameters.js'
import type { GenomeIdentity } from './genome-identity.js'

export const MANIFEST = 'job.json'

/** The list of regions that are kept. */
export const REGIONS = 'regions.tsv'

/** The lengths of the chromosomes. */
export const CHROM_SIZES = 'chrom.sizes'

export interface Manifest {
  format: 'deeplift-job'
  /** Of the layout of the folder. */
  formatVersion: 1
  /** Of the package that planned the job. */
  version: string
  /** SHA-256 of what decides the results; every block bears it. */
  id: string
  /** The folder that paths among the parameters start from. */
  folder: string
  parameters: Parameters
  /** SHA-256 of files by path: model, references, other inputs. */
  files: Record<string, string>
  model: string
  genome: GenomeIdentity
  regions: {
    sha256: string
    /** Rows of the BED file. */
    rows: number
    kept: number
    dropped: Record<DropReason, number>
  }
  /** Bases of a window. */
  length: number
  /** The input of the model that takes the windows. */
  input: string
  /** Names of the inputs or layers that are scored. */
  scored: string[]
  outputs: OutputName[]
  /** What result files say of how they were made. */
  provenance: string
  /** Examples of a block; the last one has what remains. */
  blockSize: number
  blocks: number
}

/** What a manifest says before it has an identity. */
export type Plan = Omit<Manifest, 'format' | 'formatVersion' | 'id' | 'blocks'>

export function createManifest(plan: Plan): Manifest {
  const blocks = Math.ceil(plan.regions.kept / plan.blockSize)
  const id = createHash('sha256')
    .update(JSON.stringify([...identity(plan), ['blockSize', plan.blockSize]]))
    .digest('hex')
  return { format: 'deeplift-job', formatVersion: 1, ...plan, id, blocks }
}

/** Parameters whose files are compared by content. */
const BY_CONTENT = [MODEL, 'bed', 'genome']

/** What decides the results, with the words of messages. Paths do not, but what they lead to. */
function identity({ version, parameters, files, model, genome, regions }: Plan): [string, unknown][] {
  const named = Object.entries(parameters)
    .filter(([name]) => !BY_CONTENT.includes(name) && name !== 'out')
    .sort(([a], [b]) => (a < b ? -1 : 1))
  const others = Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1))
  return [
    ['version of deeplift', version],
    ['model', model],
    ['chromosomes of the genome', genome.sha256],
    ['genome, by its bases', genome.samples],
    ['list of regions', regions.sha256],
    ...named.map(([name, value]): [string, unknown] => [`--${kebab(name)}`, value]),
    ...others.map(([path, sha256]): [string, unknown] => [`contents of ${path}`, sha256]),
  ]
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** In words, where two jobs differ; empty if they are the same. */
export function differences(before: Plan, now: Plan): string[] {
  const [old, current] = [new Map(identity(before)), new Map(identity(now))]
  const names = new Set([...old.keys(), ...current.keys()])
  return [...names].flatMap((name) => {
    const [a, b] = [old.get(name), current.get(name)].map((value) => JSON.stringify(value))
    if (a === b) return []
    const hashes = !name.startsWith('--') && !name.startsWith('version')
    return [hashes ? `another ${name}` : `${name} was ${a ?? 'not given'}, now ${b ?? 'it is not given'}`]
  })
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
  if (manifest?.format !== 'deeplift-job' || manifest.formatVersion !== 1)
    throw new DeepLiftError('FILE_FORMAT', `${path} is not the manifest of a job that this version reads.`, {
      details: { file: path },
    })
  return manifest as Manifest
}
