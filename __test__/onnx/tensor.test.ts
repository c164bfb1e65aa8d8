import { describe, expect, test } from 'vitest'
import { readOnnx } from '../../src/onnx/read.js'
import type { WireTensor } from '../../src/onnx/wire.js'
import { expectError } from '../support/errors.js'
import { buildModel, DType, node, type TensorData, tensor } from '../support/onnx-builder.js'

type Message = ReturnType<typeof tensor>

function model(...initializers: Message[]): Uint8Array {
  return buildModel({
    inputs: { x: [1] },
    outputs: { y: [1] },
    nodes: [node('Op', ['x', 'w'], ['y'])],
    initializers,
  })
}

async function read(message: Message): Promise<WireTensor> {
  const { initializers } = await readOnnx(model(message))
  return initializers[0]!
}

const bytesOf = (array: TensorData) =>
  Array.from(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))

const CASES: [string, TensorData, number][] = [
  ['FLOAT', Float32Array.of(1.5, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e-45, 3), DType.FLOAT],
  ['DOUBLE', Float64Array.of(Math.PI, -0, 5e-324, Number.MAX_VALUE, 1, 2), DType.DOUBLE],
  ['FLOAT16 bits', Uint16Array.of(0, 0x3c00, 0x8000, 0x7e00, 0xffff, 1), DType.FLOAT16],
  ['BFLOAT16 bits', Uint16Array.of(0, 0x3f80, 0x8000, 0x7fc0, 0xffff, 1), DType.BFLOAT16],
  ['BOOL', Uint8Array.of(0, 1, 1, 0, 1, 0), DType.BOOL],
  ['INT8', Int8Array.of(-128, 127, 0, -1, 5, 6), DType.INT8],
  ['UINT8', Uint8Array.of(0, 255, 1, 2, 3, 4), DType.UINT8],
  ['INT16', Int16Array.of(-32768, 32767, 0, -1, 5, 6), DType.INT16],
  ['UINT16', Uint16Array.of(0, 65535, 1, 2, 3, 4), DType.UINT16],
  ['INT32', Int32Array.of(-(2 ** 31), 2 ** 31 - 1, 0, -1, 5, 6), DType.INT32],
  ['UINT32', Uint32Array.of(0, 2 ** 32 - 1, 2 ** 31, 1, 2, 3), DType.UINT32],
  ['INT64', BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n, 0n, -1n, 2n ** 53n + 1n, 6n), DType.INT64],
  ['UINT64', BigUint64Array.of(0n, 2n ** 64n - 1n, 2n ** 63n, 1n, 2n ** 53n + 1n, 3n), DType.UINT64],
]

describe.each(CASES)('%s', (_, array, dtype) => {
  test.each(['raw', 'typed'] as const)('%s data keeps every bit', async (store) => {
    const read_ = await read(tensor('w', [2, 3], array, { dtype, store }))
    expect(read_).toMatchObject({ name: 'w', dtype, dims: [2, 3] })
    expect(Array.from(read_.data)).toEqual(bytesOf(array))
  })

  test('scalars have one element, and an axis of extent 0 none', async () => {
    const one = array.slice(0, 1) as TensorData
    const scalar = await read(tensor('w', [], one, { dtype }))
    expect(scalar.dims).toEqual([])
    expect(Array.from(scalar.data)).toEqual(bytesOf(one))
    const none = await read(tensor('w', [3, 0], array.slice(0, 0) as TensorData, { dtype }))
    expect(none).toMatchObject({ dims: [3, 0], data: { length: 0 } })
  })
})

test('raw_data is a view of the file, not a copy', async () => {
  const bytes = model(tensor('w', [2], [1, 2]))
  const { initializers } = await readOnnx(bytes)
  expect(initializers[0]!.data.buffer).toBe(bytes.buffer)
})

test('bytes that are themselves a view at an odd offset are read in place', async () => {
  const file = model(tensor('w', [2], [1.5, 2.5]))
  const shifted = new Uint8Array(file.length + 5)
  shifted.set(file, 3)
  const { initializers } = await readOnnx(shifted.subarray(3, 3 + file.length))
  expect(Array.from(initializers[0]!.data)).toEqual(bytesOf(Float32Array.of(1.5, 2.5)))
})

describe('INVALID_MODEL', () => {
  test.each<[string, Message, RegExp]>([
    [
      'too few bytes',
      { ...tensor('w', [2], [1, 2]), dims: [3] },
      /"w" of shape \[3\] and type FLOAT needs 12 bytes, found 8/,
    ],
    ['too many bytes', { ...tensor('w', [2], [1, 2]), dims: [1] }, /needs 4 bytes, found 8/],
    ['no data at all', { name: 'w', dims: [4], dataType: DType.FLOAT }, /needs 16 bytes, found 0/],
    [
      'too few typed values',
      { ...tensor('w', [2], [1, 2], { store: 'typed' }), dims: [3] },
      /needs 3 values, found 2 in floatData/,
    ],
    ['a negative extent', { name: 'w', dims: [2, -1], dataType: 1 }, /extent -1 on axis 1/],
    [
      'an extent beyond 2^53',
      { name: 'w', dims: ['9223372036854775807'], dataType: 1 },
      /extent 9223372036854775807/,
    ],
    [
      'extents whose product overflows',
      { name: 'w', dims: Array(8).fill(2 ** 30), dataType: 1 },
      /more elements/,
    ],
    [
      'extents larger than the file',
      { name: 'w', dims: [2 ** 40], dataType: 1 },
      /needs 4398046511104 bytes, found 0/,
    ],
    [
      'a rank beyond reason',
      { name: 'w', dims: Array(1000).fill(1), dataType: 1 },
      /1000 axes; expected at most 64/,
    ],
    ['no element type', { name: 'w', dims: [1] }, /element type UNDEFINED/],
    [
      'values in a field of another type',
      { name: 'w', dims: [1], dataType: DType.FLOAT, int64Data: [1] },
      /FLOAT has values in int64Data; expected them in rawData or floatData/,
    ],
    [
      'values in two places',
      { ...tensor('w', [1], [1]), floatData: [1] },
      /values in floatData; expected them in rawData, which is also present/,
    ],
    [
      'a value that its type cannot hold',
      { name: 'w', dims: [2], dataType: DType.UINT8, int32Data: [1, 300] },
      /value 300 at index 1 does not fit UINT8/,
    ],
  ])('%s', async (_, message, pattern) => {
    const error = await expectError(
      () => readOnnx(model(message)),
      'INVALID_MODEL',
      /initialiser "w"/,
      pattern,
    )
    expect(error.details).toMatchObject({ tensor: 'w', source: '<bytes>' })
  })
})
