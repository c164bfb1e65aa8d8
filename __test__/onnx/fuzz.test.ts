/** Law: whatever the bytes, reading ends in a model or in a DeepLiftError. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DeepLiftError } from '../../src/errors.js'
import { readOnnx } from '../../src/onnx/read.js'
import { buildModel, float, node, tensor } from '../support/onnx-builder.js'

const model = buildModel({
  inputs: { x: ['batch', 4, 8] },
  outputs: { y: ['batch', 2] },
  nodes: [
    node('Conv', ['x', 'w'], ['h'], { kernel_shape: [3], auto_pad: 'VALID', scale: float(1), names: ['a'] }),
    node('Constant', [], ['c'], { value: tensor('c', [2], BigInt64Array.of(-1n, 4n), { store: 'typed' }) }),
    node('Reshape', ['h', 'c'], ['y']),
  ],
  initializers: [tensor('w', [1, 4, 3], new Float32Array(12)), tensor('v', [2], [1, 2], { store: 'typed' })],
})

/** The error's code, or 'read'. Anything but a DeepLiftError is thrown on. */
async function outcome(bytes: Uint8Array): Promise<string> {
  try {
    await readOnnx(bytes)
    return 'read'
  } catch (error) {
    if (!(error instanceof DeepLiftError)) throw error
    expect(error.message).toContain('<bytes>')
    return error.code
  }
}

test('truncated at every offset', async () => {
  expect(await outcome(model)).toBe('read')
  for (let length = 0; length < model.length; length++) {
    // Even where what remains is whole protobuf, the graph or the opset behind it is missing.
    expect(await outcome(model.subarray(0, length)), `cut at ${length}`).toBe('INVALID_MODEL')
  }
})

test('every single bit flipped', async () => {
  for (let bit = 0; bit < model.length * 8; bit++) {
    const damaged = Uint8Array.from(model)
    damaged[bit >> 3]! ^= 1 << (bit & 7)
    await outcome(damaged)
  }
})

test('several bytes replaced', async () => {
  const edit = fc.tuple(fc.nat(model.length - 1), fc.integer({ min: 0, max: 255 }))
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 12 }), async (edits) => {
      const damaged = Uint8Array.from(model)
      for (const [at, byte] of edits) damaged[at] = byte
      await outcome(damaged)
    }),
    { numRuns: 2000 },
  )
})

test('random bytes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      expect(await outcome(bytes)).not.toBe('read')
    }),
    { numRuns: 2000 },
  )
})

test.each([
  ['empty nodes', Buffer.from([0x0a, 0x00])],
  ['empty initialisers', Buffer.from([0x2a, 0x00])],
])('millions of %s are refused before they fill the memory', async (_, item) => {
  const graph = Buffer.alloc(5_000_000, item)
  expect(await outcome(Buffer.concat([Buffer.from([0x08, 9, 0x3a]), varint(graph.length), graph]))).toBe(
    'UNSUPPORTED_MODEL',
  )
})

test('millions of packed integers are refused before they fill the memory', async () => {
  const packed = Buffer.alloc(2_500_000, 1)
  const dims = Buffer.concat([Buffer.from([0x0a]), varint(packed.length), packed])
  const tensor = Buffer.concat([Buffer.from([0x2a]), varint(dims.length), dims])
  const file = Buffer.concat([Buffer.from([0x08, 9, 0x3a]), varint(tensor.length), tensor])
  expect(await outcome(file)).toBe('UNSUPPORTED_MODEL')
})

test('messages and groups nested a hundred thousand deep', async () => {
  const depth = 100_000
  // Group start tags of an unknown field (63), inside the model and inside its graph.
  const groups = Buffer.alloc(2 * depth, Buffer.from([0xfb, 0x03]))
  expect(await outcome(Buffer.concat([model, groups]))).toBe('INVALID_MODEL')
  // An If node whose branch holds an If node …: subgraphs are opaque, so depth costs nothing.
  let branch = Buffer.alloc(0)
  const wrap = (tag: number[], body: Buffer) => Buffer.concat([Buffer.from(tag), varint(body.length), body])
  for (let level = 0; level < 2000; level++) branch = wrap([0x0a], wrap([0x2a], wrap([0x32], branch)))
  const nested = buildModel({
    inputs: { x: [1] },
    outputs: { y: [1] },
    nodes: [node('If', ['x'], ['y'], { then_branch: { type: 5, g: branch } })],
  })
  expect(await outcome(nested)).toBe('read')
})

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  do {
    bytes.push((rest & 127) | (rest > 127 ? 128 : 0))
    rest >>>= 7
  } while (rest > 0)
  return Buffer.from(bytes)
}
