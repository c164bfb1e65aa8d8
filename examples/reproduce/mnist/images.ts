/** MNIST test images, from the gzipped IDX files of their authors. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

/** Rows and columns of an image. */
export const SIDE = 28
export const PIXELS = SIDE * SIDE
export const DIGITS = 10

export interface Images {
  /** Brightness 0 to 255, `[count, row, column]`. */
  pixels: Uint8Array
  /** Digits, `[count]`. */
  labels: Uint8Array
}

/** IDX: two zero bytes, type 8 (unsigned byte), number of axes, extents as big-endian uint32, values. */
async function readIdx(path: string, shape: readonly (number | undefined)[]): Promise<Uint8Array> {
  const bytes = gunzipSync(await readFile(path))
  const axes = shape.map((_, axis) => bytes.readUInt32BE(4 + 4 * axis))
  const values = bytes.subarray(4 + 4 * axes.length)
  const expected = axes.reduce((product, extent) => product * extent, 1)
  const fits = shape.every((extent, axis) => extent === undefined || extent === axes[axis])
  if (bytes.readUInt32BE(0) !== 0x800 + shape.length || !fits || values.length !== expected)
    throw new Error(`${path}: expected an IDX file of bytes with the axes [${shape.map((e) => e ?? '?')}]`)
  return values
}

export async function readImages(folder: string): Promise<Images> {
  const pixels = await readIdx(join(folder, 't10k-images-idx3-ubyte.gz'), [undefined, SIDE, SIDE])
  const labels = await readIdx(join(folder, 't10k-labels-idx1-ubyte.gz'), [pixels.length / PIXELS])
  return { pixels, labels }
}

/** Images as the network takes them: raw brightness, `[images, 28, 28, 1]`. */
export function batchOf({ pixels }: Images, indices: readonly number[]) {
  const data = new Float32Array(indices.length * PIXELS)
  for (const [place, index] of indices.entries())
    data.set(pixels.subarray(index * PIXELS, (index + 1) * PIXELS), place * PIXELS)
  return { data, shape: [indices.length, SIDE, SIDE, 1] }
}
