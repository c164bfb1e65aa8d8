/** Files of scores as rows, whatever their format: what `convert`, `seqlets` and `report` read. */

import { existsSync } from 'node:fs'
import { DeepLiftError } from '../errors.js'
import { Hdf5ScoreFile } from './hdf5-file.js'
import { ModiscoScoreFile, NpzScoreFile } from './npz-file.js'
import type { SequenceRows, Site } from './rows.js'

export interface ScoreFile {
  /** The format, as `score --format` names it. */
  readonly format: string
  /** Number of sequences. */
  readonly count: number
  /** Positions of each. */
  readonly length: number
  readonly provenance: string | undefined
  /** Names of sequences, where the file has them. */
  readonly names: readonly string[] | undefined
  /** How far contributions of each sequence are from summing up, where the file tells. */
  readonly completeness: ArrayLike<number> | undefined
  /** Where the windows lie, if the file tells. */
  readonly sites: readonly Site[] | undefined
  /** All rows in order, from the first, some at a time. May be called again, not at the same time. */
  rows(): AsyncGenerator<SequenceRows>
  close(): Promise<void>
}

/**
 * @param path A `.npz` of `score` from letters, one of the two files of `--format modisco` or their common prefix, or
 *   HDF5 in the layout of ChromBPNet or BPNet.
 * @param target Which of several targets, from 0: `.npz` of `score` has an axis of them.
 * @throws {DeepLiftError} FILE_NOT_FOUND, FILE_FORMAT, INVALID_OPTION
 */
export async function openScoreFile(path: string, target?: number): Promise<ScoreFile> {
  const file = await openFile(path, target)
  if (target === undefined || file.format === 'npz') return file
  await file.close()
  throw new DeepLiftError('INVALID_OPTION', `${path} holds one target: leave out --target.`)
}

async function openFile(path: string, target: number | undefined): Promise<ScoreFile> {
  if (/\.(h5|hdf5)$/.test(path)) return await Hdf5ScoreFile.open(path)
  const prefix = path.replace(/\.(ohe|attr)\.npz$/, '')
  if (prefix !== path || (existsSync(`${path}.ohe.npz`) && existsSync(`${path}.attr.npz`)))
    return await ModiscoScoreFile.open(prefix)
  if (path.endsWith('.npz')) return await NpzScoreFile.open(path, target)
  throw new DeepLiftError(
    'FILE_FORMAT',
    `${path}: scores are read from .npz, from the two files of --format modisco, and from .h5.`,
    { details: { file: path } },
  )
}
