/** The networks of paper figures 1 to 3, as the example ships them. */

import { buildModel, node, tensor } from '../support/onnx-builder.js'

const dense = (weights: string, result: string) => node('Gemm', ['x', weights], [result])

export const NETWORK_FILES = {
  /** y = 1 − max(0, 1 − i1 − i2) */
  'saturation.onnx': buildModel({
    inputs: { x: ['batch', 2] },
    outputs: { y: ['batch', 1] },
    nodes: [
      node('Gemm', ['x', 'weights', 'one'], ['left']),
      node('Relu', ['left'], ['missing']),
      node('Sub', ['one', 'missing'], ['y']),
    ],
    initializers: [tensor('weights', [2, 1], [-1, -1]), tensor('one', [1], [1])],
  }),
  /** y = max(0, x − 10) */
  'threshold.onnx': buildModel({
    inputs: { x: ['batch', 1] },
    outputs: { y: ['batch', 1] },
    nodes: [node('Gemm', ['x', 'weights', 'bias'], ['above']), node('Relu', ['above'], ['y'])],
    initializers: [tensor('weights', [1, 1], [1]), tensor('bias', [1], [-10])],
  }),
  /** y = i1 − max(0, i1 − i2) = min(i1, i2) */
  'minimum.onnx': buildModel({
    inputs: { x: ['batch', 2] },
    outputs: { y: ['batch', 1] },
    nodes: [
      dense('difference', 'excess'),
      node('Relu', ['excess'], ['positive']),
      dense('first', 'i1'),
      node('Sub', ['i1', 'positive'], ['y']),
    ],
    initializers: [tensor('difference', [2, 1], [1, -1]), tensor('first', [2, 1], [1, 0])],
  }),
} as const satisfies Record<string, Uint8Array>
