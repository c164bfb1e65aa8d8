/** Scores in .npz archives: those of `score` with their sequences, and the pair of files that TF-MoDISco reads. */

import { DeepLiftError } from '../errors.js'
import type { NpyData } from '../io/npy-read.js'
import { openNpzRows, readNpzPresent } from '../io/npz-read.js'
import {
  inOrder,
  LETTERS,
  type LetterAxis,
  letterAxis,
  oneHotOfCodes,
  project,
  rowsAtOnce,
  type SequenceRows,
  sumOverLetters,
} from './rows.js'
import type { ScoreFile } from './score-file.js'
import { provenanceOfTarget, targetCount, valuesOfTarget } from './targets.js'

function malformed(path: string, problem: string): DeepLiftError {
  return new DeepLiftError('FILE_FORMAT', `${path}: ${problem}.`, { details: { file: path } })
}

function numbers(data: NpyData, path: string): ArrayLike<number> {
  if (Array.isArray(data)) throw malformed(path, 'it holds texts where numbers are needed')
  return data instanceof BigInt64Array ? Float64Array.from(data, Number) : data
}

/** One array of sequences, and its shape as scores of letters. */
interface Letters {
  count: number
  length: number
  axis: LetterAxis
}

function lettersOf(shape: readonly number[], path: string, key: string): Letters {
  const letters = letterAxis(shape)
  if (!letters)
    throw malformed(
      path,
      `${key} has the shape (${shape}); scores of sequences of four letters are read, (N, 4, length)`,
    )
  return { ...letters, count: shape[0]! }
}

const SCORES = ['hypothetical', 'contributions'] as const

/** What `score` writes for one input of sequences: one of its targets. */
export class NpzScoreFile implements ScoreFile {
  readonly format = 'npz'
  readonly sites = undefined

  private constructor(
    private readonly path: string,
    private readonly key: (typeof SCORES)[number],
    private readonly letters: Letters,
    private readonly targets: number | undefined,
    private readonly target: number,
    readonly names: string[] | undefined,
    readonly completeness: ArrayLike<number> | undefined,
    readonly provenance: string | undefined,
  ) {}

  static async open(path: string, target?: number): Promise<NpzScoreFile> {
    const archive = await openNpzRows(path, [...SCORES, 'sequences'])
    try {
      const { arrays } = archive
      const key = SCORES.find((each) => arrays.has(each))
      if (!key)
        throw malformed(path, 'it has no scores of a single input under hypothetical or contributions')
      if (!arrays.has('sequences'))
        throw malformed(path, 'it has no sequences, which score writes where they come from --fasta or --bed')
      const small = await readNpzPresent(path, ['names', 'completeness', 'provenance'])
      const [provenance] = (small.provenance?.data as string[] | undefined) ?? []
      const { shape } = arrays.get(key)!
      const targets = checkTarget(targetCount(provenance), target, path)
      if (targets !== undefined && shape[1] !== targets)
        throw malformed(path, `${key} has the shape (${shape}), its provenance ${targets} targets`)
      const letters = lettersOf(targets === undefined ? shape : shape.toSpliced(1, 1), path, key)
      const completeness = small.completeness && numbers(small.completeness.data, path)
      return new NpzScoreFile(
        path,
        key,
        letters,
        targets,
        target ?? 0,
        small.names?.data as string[] | undefined,
        completeness && columnOf(completeness, targets ?? 1, target ?? 0),
        provenance && provenanceOfTarget(provenance, target ?? 0),
      )
    } finally {
      await archive.close()
    }
  }

  get count(): number {
    return this.letters.count
  }

  get length(): number {
    return this.letters.length
  }

  async *rows(): AsyncGenerator<SequenceRows> {
    const { path, key } = this
    const { axis, count, length } = this.letters
    const archive = await openNpzRows(path, [key, 'sequences'])
    try {
      const [scores, sequences] = [archive.arrays.get(key)!, archive.arrays.get('sequences')!]
      for (let done = 0; done < count; ) {
        const rows = Math.min(count - done, rowsAtOnce(length))
        const oneHot = oneHotOfCodes(numbers(await sequences.next(rows), path), length)
        const values = inOrder(this.#ofTarget(numbers(await scores.next(rows), path), rows), axis, length)
        const hypothetical = key === 'hypothetical' ? values : undefined
        const projected = hypothetical
          ? project(oneHot, values, length)
          : sumOverLetters(oneHot, values, length)
        yield { length, oneHot, hypothetical, projected, sites: undefined }
        done += rows
      }
    } finally {
      await archive.close()
    }
  }

  #ofTarget(values: ArrayLike<number>, rows: number): ArrayLike<number> {
    const { target, targets } = this
    return targets === undefined ? values : valuesOfTarget(Float32Array.from(values), [rows, targets], target)
  }

  async close(): Promise<void> {}
}

/** The number of targets of a file, one of which is asked for if there are several. */
function checkTarget(
  targets: number | undefined,
  target: number | undefined,
  path: string,
): number | undefined {
  const count = targets ?? 1
  const numbers = `from 0 to ${count - 1}, in the order in which they were scored`
  if (target === undefined && count > 1)
    throw new DeepLiftError(
      'INVALID_OPTION',
      `${path} holds ${count} targets: choose one by --target, ${numbers}.`,
    )
  if (target !== undefined && target >= count)
    throw new DeepLiftError('INVALID_OPTION', `--target ${target}: those of ${path} are numbered ${numbers}.`)
  return targets
}

function columnOf(values: ArrayLike<number>, columns: number, column: number): Float64Array {
  return Float64Array.from({ length: values.length / columns }, (_, row) => values[row * columns + column]!)
}

const KEY = 'arr_0'

/** `PREFIX.ohe.npz` and `PREFIX.attr.npz`. */
export class ModiscoScoreFile implements ScoreFile {
  readonly format = 'modisco'
  readonly sites = undefined
  readonly names = undefined
  readonly completeness = undefined

  private constructor(
    private readonly prefix: string,
    readonly count: number,
    readonly length: number,
    readonly provenance: string | undefined,
  ) {}

  static async open(prefix: string): Promise<ModiscoScoreFile> {
    const shapes: Letters[] = []
    for (const path of [`${prefix}.ohe.npz`, `${prefix}.attr.npz`]) {
      const archive = await openNpzRows(path, [KEY])
      await archive.close()
      const array = archive.arrays.get(KEY)
      if (!array) throw malformed(path, `it has no array ${KEY}`)
      shapes.push(lettersOf(array.shape, path, KEY))
    }
    const [letters, scores] = shapes as [Letters, Letters]
    if (letters.count !== scores.count || letters.length !== scores.length || letters.axis !== 'first')
      throw malformed(prefix, `its two files are (N, ${LETTERS}, length) with the same N and length`)
    const { provenance } = await readNpzPresent(`${prefix}.attr.npz`, ['provenance'])
    return new ModiscoScoreFile(
      prefix,
      letters.count,
      letters.length,
      (provenance?.data as string[] | undefined)?.[0],
    )
  }

  async *rows(): AsyncGenerator<SequenceRows> {
    const { count, length, prefix } = this
    const letters = await openNpzRows(`${prefix}.ohe.npz`, [KEY])
    try {
      const scores = await openNpzRows(`${prefix}.attr.npz`, [KEY])
      try {
        for (let done = 0; done < count; ) {
          const rows = Math.min(count - done, rowsAtOnce(length))
          const next = async ({ arrays }: typeof letters) =>
            numbers(await arrays.get(KEY)!.next(rows), prefix)
          const oneHot = Int8Array.from(await next(letters))
          const hypothetical = Float32Array.from(await next(scores))
          const projected = project(oneHot, hypothetical, length)
          yield { length, oneHot, hypothetical, projected, sites: undefined }
          done += rows
        }
      } finally {
        await scores.close()
      }
    } finally {
      await letters.close()
    }
  }

  async close(): Promise<void> {}
}
