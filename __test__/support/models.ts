/** Small models of random weights, and the demo's trained one. */

import { fileURLToPath } from 'node:url'
import { DeepLift, type LoadOptions } from '../../src/index.js'
import { buildModel, node, type Shape, tensor } from './onnx-builder.js'

export const DEMO = fileURLToPath(new URL('../../examples/demo/', import.meta.url))
export const DEMO_MODEL = `${DEMO}model.onnx`
export const DEMO_FASTA = `${DEMO}sequences.fa`

/** Uniform numbers in [-1, 1): the same for the same seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 31 - 1
  }
}

export function randomFloats(length: number, seed: number): Float32Array {
  const next = random(seed)
  return Float32Array.from({ length }, () => next())
}

/** `length` base codes, without unknown bases. */
export function randomCodes(length: number, seed: number): Uint8Array {
  const next = random(seed)
  return Uint8Array.from({ length }, () => Math.floor(2 * (next() + 1)))
}

/** `[n, 4, length]` from codes `[n, length]`. */
export function oneHot(codes: Uint8Array, length: number): Float32Array {
  const values = new Float32Array(4 * codes.length)
  for (const [index, code] of codes.entries()) {
    const example = Math.floor(index / length)
    if (code < 4) values[(example * 4 + code) * length + (index % length)] = 1
  }
  return values
}

const SEQUENCE_WEIGHTS = [
  tensor('w1', [6, 4, 5], randomFloats(120, 1)),
  tensor('b1', [6], randomFloats(6, 2)),
  tensor('w2', [5, 6, 3], randomFloats(90, 3)),
  tensor('w3', [8, 5], randomFloats(40, 4)),
  tensor('b3', [8], randomFloats(8, 5)),
  tensor('w4', [3, 8], randomFloats(24, 6)),
]

/** From an input `[batch, 4, length]` to the output `y`. */
function sequenceNodes(input: string) {
  return [
    node('Conv', [input, 'w1', 'b1'], ['c1'], { kernel_shape: [5] }),
    node('Relu', ['c1'], ['r1']),
    node('Conv', ['r1', 'w2'], ['c2'], { kernel_shape: [3] }),
    node('Relu', ['c2'], ['r2']),
    node('GlobalAveragePool', ['r2'], ['p']),
    node('Flatten', ['p'], ['f']),
    node('Gemm', ['f', 'w3', 'b3'], ['g'], { transB: 1 }),
    node('Relu', ['g'], ['r3']),
    node('Gemm', ['r3', 'w4'], ['y'], { transB: 1 }),
  ]
}

/** The network of {@link sequenceModel} over `[batch, length, 4]`. */
export function channelsLastModel(length: number): Uint8Array {
  return buildModel({
    inputs: { x: ['batch', length, 4] },
    outputs: { y: ['batch', 3] },
    nodes: [node('Transpose', ['x'], ['t'], { perm: [0, 2, 1] }), ...sequenceNodes('t')],
    initializers: SEQUENCE_WEIGHTS,
  })
}

/** Conv 4 → 6, ReLU, Conv 6 → 5, ReLU, mean over positions, dense 8, ReLU, dense 3. */
export function sequenceModel(
  length: number,
  options: { batch?: Shape[number]; open?: boolean } = {},
): Uint8Array {
  const axes = [options.batch ?? 'batch', 4, options.open ? 'length' : length]
  return buildModel({
    inputs: { x: axes },
    outputs: { y: [options.batch ?? 'batch', 3] },
    nodes: sequenceNodes('x'),
    initializers: SEQUENCE_WEIGHTS,
  })
}

export async function loadSequenceModel(length: number, options: LoadOptions = {}): Promise<DeepLift> {
  return await DeepLift.load(sequenceModel(length), { threads: 2, ...options })
}

/**
 * The heads of BPNet: from `sequence` [batch, 4, length] and `control` [batch, 2, length − 8] to the logits `profile`
 * [batch, 2, length − 8] and the log counts `counts` [batch, 1].
 */
export function profileModel(length: number, options: { open?: boolean } = {}): Uint8Array {
  const positions = options.open ? 'positions' : length - 8
  return buildModel({
    inputs: { sequence: ['batch', 4, options.open ? 'length' : length], control: ['batch', 2, positions] },
    outputs: { counts: ['batch', 1], profile: ['batch', 2, positions] },
    nodes: [
      node('Conv', ['sequence', 'w1', 'b1'], ['c1'], { kernel_shape: [5] }),
      node('Relu', ['c1'], ['h']),
      node('Conv', ['h', 'wp'], ['p'], { kernel_shape: [5] }),
      node('Add', ['p', 'control'], ['profile']),
      node('GlobalAveragePool', ['h'], ['a']),
      node('Flatten', ['a'], ['f']),
      node('GlobalAveragePool', ['control'], ['ac']),
      node('Flatten', ['ac'], ['fc']),
      node('Concat', ['f', 'fc'], ['all'], { axis: 1 }),
      node('Gemm', ['all', 'wc'], ['counts']),
    ],
    initializers: [
      tensor('w1', [6, 4, 5], randomFloats(120, 1)),
      tensor('b1', [6], randomFloats(6, 2)),
      tensor('wp', [2, 6, 5], randomFloats(60, 9)),
      tensor('wc', [8, 1], randomFloats(8, 10)),
    ],
  })
}

/** Two inputs: y = relu(a · wa + b · wb), two values. */
export function twoInputModel(): Uint8Array {
  return buildModel({
    inputs: { a: ['batch', 3], b: ['batch', 5] },
    outputs: { y: ['batch', 2], z: ['batch', 2] },
    nodes: [
      node('Gemm', ['a', 'wa'], ['ga'], {}),
      node('Gemm', ['b', 'wb'], ['gb'], {}),
      node('Add', ['ga', 'gb'], ['z']),
      node('Relu', ['z'], ['y']),
    ],
    initializers: [tensor('wa', [3, 2], randomFloats(6, 7)), tensor('wb', [5, 2], randomFloats(10, 8))],
  })
}
