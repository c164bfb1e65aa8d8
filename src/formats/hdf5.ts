/**
 * Scores in HDF5, as two families of tools write and read them.
 *
 * - ChromBPNet: `/raw/seq` int8, `/shap/seq` hypothetical and `/projected_shap/seq`, all `(N, 4, length)`
 * - BPNet: `input_seqs` int8 and `hyp_scores`, `(N, length, 4)`; `coords_chrom`, `coords_start`, `coords_end`
 *
 * Both have the attribute `provenance`, a JSON text.
 */

import { type Hdf5Rows, type Hdf5Values, Hdf5Writer } from '../io/hdf5-write.js'
import { checkHalves } from './halves.js'
import {
  atLetters,
  type FileOptions,
  LETTERS,
  lettersLast,
  type RowsWriter,
  type SequenceRows,
} from './rows.js'

export const HDF5_LAYOUTS = ['chrombpnet', 'bpnet'] as const
export type Hdf5Layout = (typeof HDF5_LAYOUTS)[number]

/** Faster by a third than gzip's usual 6, and as small on scores to a few per cent. */
const DEFLATE_LEVEL = 4

interface Dataset {
  path: string
  dtype: 'float' | 'int8' | 'int32'
  rowShape: (length: number) => number[]
  values: (rows: SequenceRows) => Hdf5Values
}

const lettersBefore = (length: number) => [LETTERS, length]
const lettersAfter = (length: number) => [length, LETTERS]
const scalar = () => []

const DATASETS: Record<Hdf5Layout, readonly Dataset[]> = {
  chrombpnet: [
    { path: 'raw/seq', dtype: 'int8', rowShape: lettersBefore, values: ({ oneHot }) => oneHot },
    {
      path: 'shap/seq',
      dtype: 'float',
      rowShape: lettersBefore,
      values: ({ hypothetical }) => hypothetical!,
    },
    {
      path: 'projected_shap/seq',
      dtype: 'float',
      rowShape: lettersBefore,
      values: ({ oneHot, hypothetical }) => atLetters(oneHot, hypothetical!),
    },
  ],
  bpnet: [
    {
      path: 'coords_start',
      dtype: 'int32',
      rowShape: scalar,
      values: ({ sites }) => Int32Array.from(sites!, ({ start }) => start),
    },
    {
      path: 'coords_end',
      dtype: 'int32',
      rowShape: scalar,
      values: ({ sites }) => Int32Array.from(sites!, ({ end }) => end),
    },
    {
      path: 'hyp_scores',
      dtype: 'float',
      rowShape: lettersAfter,
      values: ({ hypothetical, length }) => lettersLast(hypothetical!, length),
    },
    {
      path: 'input_seqs',
      dtype: 'int8',
      rowShape: lettersAfter,
      values: ({ oneHot, length }) => lettersLast(oneHot, length),
    },
  ],
}

export class Hdf5RowsWriter implements RowsWriter {
  readonly paths: readonly string[]
  readonly needs: RowsWriter['needs']
  #writer: Hdf5Writer | undefined
  readonly #chroms: string[] = []

  constructor(
    private readonly path: string,
    private readonly layout: Hdf5Layout,
    private readonly options: FileOptions,
  ) {
    this.paths = [path]
    this.needs = { hypothetical: true, sites: layout === 'bpnet' }
  }

  async write(rows: SequenceRows): Promise<void> {
    const { provenance, compress, float16 } = this.options
    const datasets = DATASETS[this.layout]
    this.#writer ??= await Hdf5Writer.create(
      this.path,
      datasets.map(({ path, dtype, rowShape }): Hdf5Rows => {
        const number = dtype === 'float' ? (float16 ? 'float16' : 'float32') : dtype
        return { path, dtype: number, rowShape: rowShape(rows.length) }
      }),
      { attributes: { provenance }, ...(compress && { deflateLevel: DEFLATE_LEVEL }) },
    )
    if (float16) checkHalves(rows.hypothetical!, this.path)
    let written: Promise<void> | undefined
    for (const { path, values } of datasets) {
      // Computed while the values before are written.
      const next = values(rows)
      await written
      written = this.#writer.append(path, next)
    }
    await written
    if (this.layout === 'bpnet') for (const { chrom } of rows.sites!) this.#chroms.push(chrom)
  }

  async finish(): Promise<void> {
    if (this.layout === 'bpnet') await this.#writer!.putStrings('coords_chrom', this.#chroms)
    await this.#writer!.finish()
  }

  async abort(): Promise<void> {
    await this.#writer?.abort()
  }
}
