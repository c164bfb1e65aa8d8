/**
 * Reads datasets of HDF5 files by rows, through the HDF5 library itself (h5wasm).
 *
 * The library is loaded when the first file is opened. It is synchronous: callers read some megabytes at a time.
 */

import type { Dataset, File } from 'h5wasm/node'
import { DeepLiftError } from '../errors.js'
import { openForReading } from './files.js'
import { float16ToFloat32 } from './float16.js'
import { elementCount } from './npy-header.js'

/** H5T_class_t of the file format. */
const INTEGER = 0
const FLOAT = 1
const STRING = 3

/** By class, size and sign. */
const TYPES: Record<string, (bytes: ArrayBuffer) => ArrayLike<number>> = {
  [`${FLOAT},2`]: (bytes) => float16ToFloat32(new Uint16Array(bytes)),
  [`${FLOAT},4`]: (bytes) => new Float32Array(bytes),
  [`${FLOAT},8`]: (bytes) => new Float64Array(bytes),
  [`${INTEGER},1`]: (bytes) => new Int8Array(bytes),
  [`${INTEGER},4`]: (bytes) => new Int32Array(bytes),
  [`${INTEGER},8`]: (bytes) => Float64Array.from(new BigInt64Array(bytes), Number),
  [`${INTEGER},1,unsigned`]: (bytes) => new Uint8Array(bytes),
  [`${INTEGER},4,unsigned`]: (bytes) => new Uint32Array(bytes),
  [`${INTEGER},8,unsigned`]: (bytes) => Float64Array.from(new BigUint64Array(bytes), Number),
}

/** What is read at once, at least a chunk. */
const PIECE_BYTES = 1 << 20

export class Hdf5File {
  private constructor(
    readonly path: string,
    private readonly file: File,
    private readonly library: typeof import('h5wasm/node'),
  ) {}

  /** @throws {DeepLiftError} FILE_NOT_FOUND, FILE_FORMAT */
  static async open(path: string): Promise<Hdf5File> {
    const handle = await openForReading(path)
    await handle.close()
    const library = await import('h5wasm/node')
    await library.ready
    // Otherwise it writes pages about a wrong file to stderr and goes on.
    library.Module.activate_throwing_error_handler()
    try {
      return new Hdf5File(path, new library.File(path, 'r'), library)
    } catch (cause) {
      throw new DeepLiftError('FILE_FORMAT', `${path} is not an HDF5 file that can be read.`, {
        cause,
        details: { file: path },
      })
    }
  }

  /** The shape of a dataset, or undefined if there is none of this path. */
  shapeOf(dataset: string): number[] | undefined {
    return this.#find(dataset)?.shape ?? undefined
  }

  /** The rows `[start, end)` of a dataset of numbers. */
  readRows(dataset: string, start: number, end: number): ArrayLike<number> {
    const found = this.#get(dataset)
    const { size, type, littleEndian, signed } = found.metadata
    const decode = TYPES[`${type},${size}${type === INTEGER && !signed ? ',unsigned' : ''}`]
    if (!decode || !littleEndian) throw this.#malformed(`${dataset} has a type of numbers that is not read`)
    const rowBytes = size * elementCount(found.shape!.slice(1))
    const values = allocate((end - start) * rowBytes)
    if (!values) throw this.#malformed(`${end - start} rows of ${dataset} are too many to read at once`)
    // Memory of the library is as large as it was at most, so it is lent for some chunks at a time.
    const chunkRows = found.metadata.chunks?.[0] ?? 1
    const rows = chunkRows * Math.max(1, Math.floor(PIECE_BYTES / (chunkRows * rowBytes)))
    const { Module } = this.library
    const pointer = Module._malloc(Math.min(rows, end - start) * rowBytes)
    if (pointer === 0) throw this.#malformed(`the chunks of ${dataset} are too large to be read`)
    try {
      for (let row = start; row < end; ) {
        // Pieces end where chunks end.
        const next = Math.min(end, row - (row % chunkRows) + rows)
        this.#read(found, row, next, pointer)
        const piece = Module.HEAPU8.subarray(pointer, pointer + (next - row) * rowBytes)
        values.set(piece, (row - start) * rowBytes)
        row = next
      }
      return decode(values.buffer)
    } catch (cause) {
      throw this.#malformed(
        `${dataset} cannot be read: it is damaged, or packed by a filter such as blosc; rewrite it with ` +
          'h5repack -f GZIP=4',
        cause,
      )
    } finally {
      Module._free(pointer)
    }
  }

  /** Puts the rows `[start, end)` at `pointer` in the memory of the library. */
  #read({ path, shape }: Dataset, start: number, end: number, pointer: number): void {
    const count = [end - start, ...shape!.slice(1)]
    this.library.Module.get_dataset_data(
      this.file.file_id,
      path,
      count.map(BigInt),
      count.map((_, axis) => (axis === 0 ? BigInt(start) : 0n)),
      count.map(() => 1n),
      BigInt(pointer),
    )
  }

  /** All strings of a dataset. */
  readStrings(dataset: string): string[] {
    const found = this.#get(dataset)
    if (found.metadata.type !== STRING) throw this.#malformed(`${dataset} does not hold texts`)
    return found.value as string[]
  }

  /** A text at the root. */
  attribute(name: string): string | undefined {
    const value = this.file.attrs[name]?.value
    return typeof value === 'string' ? value : undefined
  }

  #find(path: string): Dataset | undefined {
    try {
      const found = this.file.get(path)
      return found instanceof this.library.Dataset ? found : undefined
    } catch {
      // Paths of which already the first part is missing are errors of the library.
      return undefined
    }
  }

  #get(path: string): Dataset {
    const found = this.#find(path)
    if (!found) throw this.#malformed(`it has no dataset ${path}`)
    return found
  }

  #malformed(problem: string, cause?: unknown): DeepLiftError {
    return new DeepLiftError('FILE_FORMAT', `${this.path}: ${problem}.`, {
      cause,
      details: { file: this.path },
    })
  }

  close(): void {
    this.file.close()
  }
}

function allocate(bytes: number): Uint8Array<ArrayBuffer> | undefined {
  try {
    return new Uint8Array(bytes)
  } catch {
    return undefined
  }
}
