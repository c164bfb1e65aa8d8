/** Planning: the folder of a job, before any score is computed. */

import { mkdir, readdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { DeepLiftError } from '../../errors.js'
import type { Genome } from '../../genomics/genome.js'
import type { Edges } from '../../genomics/region.js'
import { OutputFile, sha256Of } from '../../io/files.js'
import type { DeepLift } from '../../model.js'
import type { StreamOptions } from '../../options/score-options.js'
import type { ExampleSources, SequenceFile } from '../example-sources.js'
import { type Parameters, writeJson } from '../parameters.js'
import { provenanceOf } from '../provenance.js'
import { jobFolderOf } from '../results.js'
import { BLOCKS } from './block.js'
import { genomeIdentity } from './genome-identity.js'
import {
  CHROM_SIZES,
  createManifest,
  differences,
  MANIFEST,
  type Manifest,
  type Plan,
  REGIONS,
  readManifest,
} from './manifest.js'
import { formatSizes, listRegions } from './region-list.js'
import { blockSizeOf, windowLength } from './sizes.js'

export interface PlanRequest {
  parameters: Parameters
  sources: ExampleSources
  bed: SequenceFile
  genome: Genome
  model: DeepLift
  modelPath: string
  scoring: StreamOptions
  version: string
  /** Discards a job that was begun with other parameters. */
  restart: boolean
}

export interface Planned {
  folder: string
  manifest: Manifest
  /** Whether the job was begun before. */
  resumed: boolean
  /** The first dropped rows, in words. */
  dropped: string[]
}

/**
 * Makes the folder of a job, or finds the one of the same job.
 *
 * @throws {DeepLiftError} INVALID_OPTION naming what differs if the folder is that of another job
 */
export async function planJob(request: PlanRequest): Promise<Planned> {
  const { parameters, genome, bed } = request
  const folder = jobFolderOf(String(parameters.out))
  const length = windowLength(parameters, request.model, bed.input, request.scoring)
  const before = await unfinishedJob(folder)
  const resumed = before !== undefined && !request.restart
  if (!resumed) await rm(folder, { recursive: true, force: true })
  await mkdir(join(folder, BLOCKS), { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === 'ENOENT' ? 'its parent folder does not exist' : cause.code
    throw new DeepLiftError('FILE_NOT_FOUND', `${folder} cannot be made: ${reason}.`, { cause })
  })
  const file = await OutputFile.create(join(folder, REGIONS))
  try {
    const window = { length, edges: parameters.edges as Edges }
    const list = await listRegions(bed.path, genome, window, file)
    const manifest = createManifest(await describe(request, list.summary, length))
    if (resumed) refuseOther(before, manifest, folder)
    await file.commit()
    await writeFolder(folder, manifest, formatSizes(genome.sizes))
    return { folder, manifest, resumed, dropped: list.examples }
  } catch (error) {
    await file.discard()
    if (!resumed) await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** What stands in the folder of a job whose planning was killed. */
const BEGUN = new RegExp(`^(${BLOCKS}|(${REGIONS}|${CHROM_SIZES}|${MANIFEST})(\\..*\\.tmp)?)$`)

/** The manifest of a job that was begun; folders of anything else are not touched. */
async function unfinishedJob(folder: string): Promise<Manifest | undefined> {
  const names = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return [] as string[]
    throw new DeepLiftError('FILE_NOT_FOUND', `${folder} cannot be opened (${cause.code}).`, { cause })
  })
  if (names.includes(MANIFEST)) return await readManifest(folder)
  const other = names.find((name) => !BEGUN.test(name))
  if (other === undefined) return undefined
  throw new DeepLiftError(
    'INVALID_OPTION',
    `${folder} is needed for the job and holds other files (${other}); give another --out.`,
    { details: { folder } },
  )
}

async function writeFolder(folder: string, manifest: Manifest, sizes: string): Promise<void> {
  const file = await OutputFile.create(join(folder, CHROM_SIZES))
  await file.append(Buffer.from(sizes))
  await file.commit()
  // Last, for it makes the folder that of a job.
  await writeJson(join(folder, MANIFEST), manifest)
}

function refuseOther(before: Manifest, now: Manifest, folder: string): void {
  const found = differences(before, now)
  if (found.length === 0) return
  throw new DeepLiftError(
    'INVALID_OPTION',
    `${folder} holds an unfinished job that differs: ${found.join('; ')}. Finish it with its own parameters, give ` +
      'another --out, or discard it with --restart.',
    { details: { folder, differences: found } },
  )
}

async function describe(
  { parameters, sources, bed, genome, model, modelPath, scoring, version }: PlanRequest,
  regions: Plan['regions'],
  length: number,
): Promise<Plan> {
  const files: Record<string, string> = {}
  const references = [...sources.references.values()]
  const given = references.flatMap((each) => (typeof each === 'object' && 'file' in each ? [each.file] : []))
  for (const path of [...sources.files.values(), ...given]) files[path] = await sha256Of(path)
  const { edges, lowercase } = parameters
  const identity = await genomeIdentity(genome)
  const provenance = await provenanceOf({
    model: modelPath,
    scoring,
    references: (parameters.reference ?? []) as string[],
    seed: String(parameters.seed),
    policies: { edges, lowercase, length, regionsSha256: regions.sha256, chromSizesSha256: identity.sha256 },
  })
  const scored = scoring.layers === undefined ? model.inputs.map(({ name }) => name) : [scoring.layers].flat()
  return {
    version,
    folder: resolve('.'),
    parameters,
    files,
    model: await sha256Of(modelPath),
    genome: identity,
    regions,
    length,
    input: bed.input,
    scored: [...scored],
    outputs: [...(scoring.outputs ?? ['contributions'])],
    provenance,
    blockSize: await blockSizeOf(parameters, model, scoring, sources, { input: bed.input, length }),
  }
}
