/** Rows of .npy files, one per example, by input of the model. */

import { DeepLiftError } from '../errors.js'
import type { NpyFile } from '../io/npy-read.js'
import type { InputInfo } from '../options/tensor-info.js'
import { showShape, sizeOf, type Tensor } from '../tensor.js'
import { tensorData } from './values.js'

/** Rows read at once: few, so that memory stays small; not one, so that reading stays fast. */
const BYTES_PER_READ = 1 << 20

/** The rows of one file, for one input. */
export class NpyRows {
  #first = 0
  #end = 0
  #data: Tensor['data'] | undefined

  /** @param codes Whether integers are base codes. */
  constructor(
    readonly name: string,
    readonly file: NpyFile,
    private readonly rowShape: number[],
    private readonly codes: boolean,
  ) {}

  get count(): number {
    return this.file.shape[0]!
  }

  async at(row: number): Promise<Tensor> {
    if (row >= this.count)
      throw new DeepLiftError(
        'INVALID_INPUT',
        `${this.file.path} has ${this.count} rows, one per example; there are more examples.`,
      )
    const size = sizeOf(this.rowShape)
    if (row < this.#first || row >= this.#end) {
      const step = Math.max(1, Math.floor(BYTES_PER_READ / (4 * Math.max(1, size))))
      this.#first = row
      this.#end = Math.min(this.count, row + step)
      const values = await this.file.readRows(this.#first, this.#end)
      this.#data = tensorData(values, this.codes, this.file.path)
    }
    const at = row - this.#first
    return { data: this.#data!.subarray(at * size, (at + 1) * size), shape: this.rowShape }
  }
}

/** Row `row` of each file, by input name. */
export async function rowsAt(files: readonly NpyRows[], row: number): Promise<Record<string, Tensor>> {
  const found: Record<string, Tensor> = {}
  for (const file of files) found[file.name] = await file.at(row)
  return found
}

/** Refuses files that have other than `examples` rows. */
export function checkRowCount(files: readonly NpyRows[], examples: number): void {
  const odd = files.find(({ count }) => count !== examples)
  if (odd)
    throw new DeepLiftError(
      'INVALID_INPUT',
      `${odd.file.path} has ${odd.count} rows, one per example; there are ${examples} examples.`,
    )
}

/** The rows of a file as values of an input, or as base codes. */
export function inputRows({ name, shape }: InputInfo, file: NpyFile): NpyRows {
  const codes = isInteger(file) && file.shape.length === 2 && shape.length > 2
  const rank = codes ? 2 : shape.length
  if (file.shape.length !== rank)
    throw new DeepLiftError(
      'INVALID_INPUT',
      `${file.path}: input ${JSON.stringify(name)} takes the shape ${showShape(shape)}, the file has ` +
        `${showShape(file.shape)}.`,
    )
  return new NpyRows(name, file, file.shape.slice(1), codes)
}

function isInteger({ dtype }: NpyFile): boolean {
  return !dtype.startsWith('float') && dtype !== 'string'
}

/**
 * References of a file, by its shape: `[n, R, …]` and `[n, …]` are per example, `[R, …]` and `[…]` shared by all.
 */
export async function fileReferences(
  { name, shape }: InputInfo,
  file: NpyFile,
  examples: number | undefined,
): Promise<NpyRows | { tensor: Tensor }> {
  const example = shape.slice(1)
  const fits = (axes: readonly number[]) =>
    axes.length === example.length &&
    axes.every((extent, axis) => typeof example[axis] !== 'number' || example[axis] === extent)
  const axes = file.shape
  const extra = axes.length - example.length
  if (extra < 0 || extra > 2 || !fits(axes.slice(extra)))
    throw new DeepLiftError(
      'INVALID_INPUT',
      `${file.path}: references of input ${JSON.stringify(name)} have the shape ${showShape(example)}, with one axis ` +
        `of references or of examples before it, or [examples, references, …]; the file has ${showShape(axes)}.`,
    )
  const perExample = extra === 2 || (extra === 1 && axes[0] === examples && examples !== 1)
  if (!perExample)
    return { tensor: { data: tensorData(await file.readAll(), false, file.path), shape: axes } }
  if (examples !== undefined && axes[0] !== examples)
    throw new DeepLiftError(
      'INVALID_INPUT',
      `${file.path} has references for ${axes[0]} examples; there are ${examples}.`,
    )
  return new NpyRows(name, file, axes.slice(1), false)
}
