/** Scores in HDF5, in the layout of ChromBPNet or BPNet. */

import { DeepLiftError } from '../errors.js'
import { Hdf5File } from '../io/hdf5-read.js'
import type { Hdf5Layout } from './hdf5.js'
import { inOrder, LETTERS, lettersFirst, project, rowsAtOnce, type SequenceRows, type Site } from './rows.js'
import type { ScoreFile } from './score-file.js'

const DATASETS = {
  chrombpnet: { letters: 'raw/seq', scores: 'shap/seq' },
  bpnet: { letters: 'input_seqs', scores: 'hyp_scores' },
} as const

export class Hdf5ScoreFile implements ScoreFile {
  readonly names = undefined
  readonly completeness = undefined

  private constructor(
    private readonly file: Hdf5File,
    readonly format: Hdf5Layout,
    readonly count: number,
    readonly length: number,
    readonly sites: Site[] | undefined,
  ) {}

  static async open(path: string): Promise<Hdf5ScoreFile> {
    const file = await Hdf5File.open(path)
    try {
      const format = file.shapeOf(DATASETS.chrombpnet.scores) ? 'chrombpnet' : 'bpnet'
      const { letters, scores } = DATASETS[format]
      const shape = file.shapeOf(scores)
      const axis = format === 'chrombpnet' ? 1 : 2
      if (shape?.length !== 3 || shape[axis] !== LETTERS || `${file.shapeOf(letters)}` !== `${shape}`)
        throw new DeepLiftError(
          'FILE_FORMAT',
          `${path}: scores are read from raw/seq and shap/seq (N, 4, length), or from input_seqs and hyp_scores ` +
            '(N, length, 4).',
          { details: { file: path } },
        )
      const length = shape[3 - axis]!
      const sites =
        format === 'bpnet' && file.shapeOf('coords_chrom') ? readSites(file, shape[0]!) : undefined
      return new Hdf5ScoreFile(file, format, shape[0]!, length, sites)
    } catch (error) {
      file.close()
      throw error
    }
  }

  get provenance(): string | undefined {
    return this.file.attribute('provenance')
  }

  async *rows(): AsyncGenerator<SequenceRows> {
    const { count, length } = this
    const { letters, scores } = DATASETS[this.format]
    const last = this.format === 'bpnet'
    for (let done = 0; done < count; ) {
      const end = Math.min(count, done + rowsAtOnce(length))
      const bytes = Int8Array.from(this.file.readRows(letters, done, end))
      const oneHot = last ? lettersFirst(bytes, length) : bytes
      const hypothetical = inOrder(this.file.readRows(scores, done, end), last ? 'last' : 'first', length)
      const projected = project(oneHot, hypothetical, length)
      yield { length, oneHot, hypothetical, projected, sites: this.sites?.slice(done, end) }
      done = end
    }
  }

  async close(): Promise<void> {
    this.file.close()
  }
}

/** Windows are centred on their summits, rounded down. */
function readSites(file: Hdf5File, count: number): Site[] {
  const chroms = file.readStrings('coords_chrom')
  const starts = file.readRows('coords_start', 0, count)
  const ends = file.readRows('coords_end', 0, count)
  return chroms.map((chrom, row) => {
    const [start, end] = [starts[row]!, ends[row]!]
    return { chrom, start, end, summit: start + Math.floor((end - start) / 2) }
  })
}
