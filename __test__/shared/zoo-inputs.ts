/** Inputs and references for the models of the zoo. */

import { basename, dirname, join } from 'node:path'
import type { DeepLift, InputReferences } from '../../src/index.js'
import { dinucleotideShuffle } from '../../src/index.js'
import { readNpz } from '../../src/io/npz-read.js'
import { sizeOf } from '../../src/tensor.js'
import { type FloatTensor, toFloats } from './arrays.js'

export type Inputs = Record<string, FloatTensor>

/** The stored inputs and outputs of an architecture: `bpnet.legacy.onnx` belongs to `bpnet.npz`. */
export async function storedArrays(path: string): Promise<Inputs> {
  const architecture = basename(path).split('.', 1)[0]
  const arrays = await readNpz(join(dirname(path), `${architecture}.npz`))
  return Object.fromEntries(
    Object.entries(arrays).map(([name, { data, shape }]) => [name, { data: toFloats(data, name), shape }]),
  )
}

/** Uniform whole numbers below `bound`: xorshift, so that inputs are the same everywhere. */
function randomSource(seed: number): (bound: number) => number {
  let state = seed
  return (bound) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % bound
  }
}

/** `count` random sequences for the one input of a model, whose last axis holds the letters. */
export function randomSequences(model: DeepLift, count: number, seed: number): Inputs {
  const { name, shape } = model.inputs[0]!
  const [length, letters] = shape.slice(1) as number[]
  const random = randomSource(seed)
  const data = new Float32Array(count * length! * letters!)
  for (let position = 0; position < count * length!; position++)
    data[position * letters! + random(letters!)] = 1
  return { [name]: { data, shape: [count, length!, letters!] } }
}

/** One letter of four per position, and no further tracks. */
function isOneHot({ data, shape }: FloatTensor): boolean {
  return shape.slice(1).includes(4) && data.every((value) => value === 0 || value === 1)
}

/** Two references per example: its own positions in random order, all channels of a position together. */
function permuted({ data, shape }: FloatTensor, seed: number): InputReferences {
  const random = randomSource(seed)
  const [examples, ...axes] = shape
  const size = sizeOf(axes)
  // Positions lie along the longer axis.
  const [positions, step, channels, channelStep] =
    axes[0]! > axes[1]! ? [axes[0]!, axes[1]!, axes[1]!, 1] : [axes[1]!, 1, axes[0]!, axes[1]!]
  const all = new Float32Array(examples! * 2 * size)
  for (let row = 0; row < examples! * 2; row++) {
    const order = Array.from({ length: positions }, (_, position) => position)
    for (let last = positions - 1; last > 0; last--) {
      const other = random(last + 1)
      ;[order[last], order[other]] = [order[other]!, order[last]!]
    }
    const from = Math.floor(row / 2) * size
    for (const [to, position] of order.entries())
      for (let channel = 0; channel < channels; channel++)
        all[row * size + to * step + channel * channelStep] =
          data[from + position * step + channel * channelStep]!
  }
  return { perExample: { data: all, shape: [examples!, 2, ...axes] } }
}

/** Each kind of reference, by input. Shuffles are for one-hot inputs; another input then stands still. */
export function referenceKinds(inputs: Inputs): [string, Record<string, InputReferences>][] {
  const each = (make: (tensor: FloatTensor) => InputReferences) =>
    Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, make(tensor)]))
  const kinds: [string, Record<string, InputReferences>][] = [
    ['zeros', each(() => 'zeros')],
    ['permuted', each((tensor) => permuted(tensor, 7))],
  ]
  const shuffle = (tensor: FloatTensor) =>
    isOneHot(tensor) ? dinucleotideShuffle({ count: 3, seed: 1 }) : 'self'
  if (Object.values(inputs).some(isOneHot)) kinds.push(['shuffled', each(shuffle)])
  return kinds
}
