import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readOnnx } from '../../src/onnx/read.js'
import type { WireAttribute } from '../../src/onnx/wire.js'
import { expectError } from '../support/errors.js'
import {
  type AttributeValue,
  buildModel,
  DType,
  float,
  type ModelSpec,
  node,
  tensor,
  value,
} from '../support/onnx-builder.js'

const folder = mkdtempSync(join(tmpdir(), 'deeplift-read-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const relu: ModelSpec = {
  inputs: { x: ['batch', 4] },
  outputs: { y: ['batch', 4] },
  nodes: [node('Relu', ['x'], ['y'])],
}
const build = (spec: Partial<ModelSpec>) => buildModel({ ...relu, ...spec })

describe('a readable model', () => {
  test('is the same from a path and from bytes, except for its source', async () => {
    const bytes = build({ initializers: [tensor('w', [2], [1, 2])] })
    const path = join(folder, 'model.onnx')
    writeFileSync(path, bytes)
    const [fromPath, fromBytes] = [await readOnnx(path), await readOnnx(bytes)]
    expect(fromPath.source).toBe(path)
    expect(fromBytes.source).toBe('<bytes>')
    const data = (model: typeof fromPath) => model.initializers.map((w) => Array.from(w.data))
    expect(data(fromPath)).toEqual(data(fromBytes))
    expect({ ...fromPath, source: '', initializers: [] }).toEqual({
      ...fromBytes,
      source: '',
      initializers: [],
    })
  })

  test('keeps versions, producer and node order', async () => {
    const model = await readOnnx(
      build({
        ir: 10,
        opset: 18,
        model: { producerName: 'pytorch', producerVersion: '2.13.0' },
        nodes: [node('Relu', ['x'], ['h'], {}, { name: 'first' }), node('Tanh', ['h'], ['y'])],
      }),
    )
    expect(model).toMatchObject({ irVersion: 10, opset: 18, producer: 'pytorch 2.13.0' })
    expect(
      model.nodes.map(({ name, opType, inputs, outputs }) => ({ name, opType, inputs, outputs })),
    ).toEqual([
      { name: 'first', opType: 'Relu', inputs: ['x'], outputs: ['h'] },
      { name: 'Tanh_1', opType: 'Tanh', inputs: ['h'], outputs: ['y'] },
    ])
  })

  test('reads the default domain under both of its names, and ignores unused domains', async () => {
    const { nodes, opset } = await readOnnx(
      build({
        model: {
          opsetImport: [
            { domain: 'ai.onnx', version: 17 },
            { domain: 'ai.onnx.ml', version: 2 },
          ],
        },
        nodes: [node('Relu', ['x'], ['y'], {}, { domain: 'ai.onnx' })],
      }),
    )
    expect(opset).toBe(17)
    expect(nodes[0]!.domain).toBe('')
  })

  test('lists as inputs only what is not an initialiser', async () => {
    const { inputs } = await readOnnx(
      build({ ir: 3, inputs: { x: [1], w: [2] }, initializers: [tensor('w', [2], [1, 2])] }),
    )
    expect(inputs.map(({ name }) => name)).toEqual(['x'])
  })

  test('keeps omitted optional inputs as empty names', async () => {
    const { nodes } = await readOnnx(
      build({ nodes: [node('LSTM', ['x', 'w', 'r', '', '', 'h0'], ['', 'y'])] }),
    )
    expect(nodes[0]!.inputs).toEqual(['x', 'w', 'r', '', '', 'h0'])
    expect(nodes[0]!.outputs).toEqual(['', 'y'])
  })

  test('tells fixed, symbolic and unknown extents apart, and a scalar from an unknown rank', async () => {
    const { inputs } = await readOnnx(
      build({
        inputs: [
          value('a', ['batch', 4, null, 0], DType.DOUBLE),
          value('scalar', []),
          value('unranked'),
          { name: 'untyped' },
          value('negative', [-1]),
        ],
      }),
    )
    expect(inputs).toEqual([
      {
        name: 'a',
        dtype: DType.DOUBLE,
        dims: [-1, 4, -1, 0],
        dimNames: ['batch', '', '', ''],
        hasShape: true,
      },
      { name: 'scalar', dtype: DType.FLOAT, dims: [], dimNames: [], hasShape: true },
      { name: 'unranked', dtype: DType.FLOAT, dims: [], dimNames: [], hasShape: false },
      { name: 'untyped', dtype: 0, dims: [], dimNames: [], hasShape: false },
      { name: 'negative', dtype: DType.FLOAT, dims: [-1], dimNames: [''], hasShape: true },
    ])
  })
})

describe('attributes', () => {
  const read = async (attributes: Record<string, AttributeValue>): Promise<WireAttribute> => {
    const { nodes } = await readOnnx(build({ nodes: [node('Op', ['x'], ['y'], attributes)] }))
    return nodes[0]!.attributes[0]!
  }
  const INT64_MIN = -(2n ** 63n)
  const INT64_MAX = 2n ** 63n - 1n

  test.each<[string, AttributeValue, Partial<WireAttribute>]>([
    ['float', 0.5, { kind: 'float', floats: Float32Array.of(0.5) }],
    ['float of zero', float(0), { kind: 'float', floats: Float32Array.of(0) }],
    ['int', 3, { kind: 'int', ints: BigInt64Array.of(3n) }],
    ['int of zero', 0, { kind: 'int', ints: BigInt64Array.of(0n) }],
    ['the least int', INT64_MIN, { kind: 'int', ints: BigInt64Array.of(INT64_MIN) }],
    ['string', 'SAME_UPPER', { kind: 'string', strings: ['SAME_UPPER'] }],
    ['floats', float([1, 2.5]), { kind: 'floats', floats: Float32Array.of(1, 2.5) }],
    ['ints', [1n, INT64_MAX, -1n], { kind: 'ints', ints: BigInt64Array.of(1n, INT64_MAX, -1n) }],
    ['no ints', [], { kind: 'ints', ints: BigInt64Array.of() }],
    ['strings', ['a', 'β'], { kind: 'strings', strings: ['a', 'β'] }],
    ['graph', { type: 5, g: Uint8Array.of(1, 2, 3) }, { kind: 'graph' }],
    ['graphs', { type: 10, graphs: [Uint8Array.of(1)] }, { kind: 'graph' }],
    ['a sparse tensor', { type: 11 }, { kind: 'other' }],
    ['a type of the future', { type: 77 }, { kind: 'other' }],
    ['a reference to a function attribute', { type: 1, f: 2, refAttrName: 'alpha' }, { kind: 'other' }],
    ['a string tensor', { type: 4, t: { dataType: DType.STRING, dims: [1] } }, { kind: 'other' }],
    ['float without a stated type', { f: 2 }, { kind: 'float', floats: Float32Array.of(2) }],
    ['ints without a stated type', { ints: [7] }, { kind: 'ints', ints: BigInt64Array.of(7n) }],
    ['no type and no value', {}, { kind: 'other' }],
  ])('%s', async (_, given, expected) => {
    expect(await read({ attr: given })).toMatchObject({ name: 'attr', ...expected })
  })

  test('tensor', async () => {
    const { kind, tensor: read_ } = await read({ value: tensor('t', [2], BigInt64Array.of(INT64_MIN, 5n)) })
    expect(kind).toBe('tensor')
    expect(read_).toMatchObject({ name: 't', dtype: DType.INT64, dims: [2] })
    expect(new BigInt64Array(Uint8Array.from(read_!.data).buffer)).toEqual(BigInt64Array.of(INT64_MIN, 5n))
  })

  test('a tensor attribute whose data does not fit names its node', async () => {
    const bad = { ...tensor('t', [2], [1]), dims: [3] }
    await expectError(
      () => readOnnx(build({ nodes: [node('Constant', [], ['y'], { value: bad }, { name: 'c0' })] })),
      'INVALID_MODEL',
      /value of node "c0" \(Constant\)/,
    )
  })
})

describe('refusals', () => {
  test.each([
    ['IR version 2', { ir: 2 }, /IR version 2; expected 3 to 13/],
    ['IR version 14', { ir: 14 }, /IR version 14; expected 3 to 13/],
    ['opset 6', { opset: 6 }, /opset 6; expected 7 to 25/],
    ['opset 26', { opset: 26 }, /opset 26; expected 7 to 25.*lower opset_version/],
    [
      'functions',
      { model: { functions: [{ name: 'gelu', domain: 'pkg.x' }] } },
      /local functions.*"gelu".*optimize=True/,
    ],
    ['sparse initialisers', { graph: { sparseInitializer: [Uint8Array.of()] } }, /sparse initialisers/],
    ['training information', { model: { trainingInfo: [Uint8Array.of()] } }, /training information/],
    [
      'a sequence input',
      { inputs: [{ name: 's', type: { sequenceType: Uint8Array.of() } }] },
      /input "s" is a sequence/,
    ],
    ['a map output', { outputs: [{ name: 'm', type: { mapType: Uint8Array.of() } }] }, /output "m" is a map/],
    [
      'a string tensor in use',
      { initializers: [{ name: 'x', dataType: 8, dims: [1] }] },
      /"x", used by node "Relu_0" \(Relu\).*STRING/,
    ],
    [
      'a complex tensor as output',
      { initializers: [{ name: 'y', dataType: 14, dims: [1] }], nodes: [] },
      /"y", used by a graph output, has element type COMPLEX64/,
    ],
    ['a type of the future', { initializers: [{ name: 'x', dataType: 99, dims: [1] }] }, /element type 99/],
    [
      'a tensor in segments',
      { initializers: [{ ...tensor('x', [1], [1]), segment: Uint8Array.of() }] },
      /"x".*segments/,
    ],
  ] as [string, Partial<ModelSpec>, RegExp][])('UNSUPPORTED_MODEL: %s', async (_, spec, pattern) => {
    await expectError(() => readOnnx(build(spec)), 'UNSUPPORTED_MODEL', pattern)
  })

  test.each([
    ['com.microsoft', /optimised by ONNX Runtime/],
    ['com.microsoft.nchwc', /optimised by ONNX Runtime/],
    ['ai.onnx.ml', /tree ensembles/],
    ['ai.onnx.preview.training', /for inference/],
    ['pkg.onnxscript.torch_lib', /optimize=True/],
    ['my.ops', /standard operators/],
  ])('UNSUPPORTED_OP: a node of domain %s', async (domain, advice) => {
    const error = await expectError(
      () => readOnnx(build({ nodes: [node('FusedConv', ['x'], ['y'], {}, { domain, name: 'n7' })] })),
      'UNSUPPORTED_OP',
      /node "n7" \(FusedConv\)/,
      domain,
      advice,
    )
    expect(error.details).toMatchObject({ node: 'n7', opType: 'FusedConv', domain })
  })

  test.each([
    ['no graph', { model: { graph: undefined } }, /no graph/],
    ['no IR version', { ir: 0 }, /no IR version/],
    ['no opset', { model: { opsetImport: [] } }, /no version of the ai.onnx operator set/],
    [
      'two opsets',
      { model: { opsetImport: [{ version: 17 }, { domain: 'ai.onnx', version: 18 }] } },
      /several opsets, 17 and 18/,
    ],
    ['no outputs', { outputs: {} }, /no outputs/],
    [
      'one name for two initialisers',
      { initializers: [tensor('w', [1], [1]), tensor('w', [1], [2])] },
      /two.*"w"/,
    ],
  ] as [string, Partial<ModelSpec>, RegExp][])('INVALID_MODEL: %s', async (_, spec, pattern) => {
    await expectError(() => readOnnx(build(spec)), 'INVALID_MODEL', pattern)
  })

  test('tensors of unread types that nothing uses are left out', async () => {
    const { initializers } = await readOnnx(
      build({ initializers: [{ name: 'labels', dataType: DType.STRING, dims: [1] }, tensor('w', [1], [1])] }),
    )
    expect(initializers.map(({ name }) => name)).toEqual(['w'])
  })

  test('INVALID_INPUT: neither path nor bytes', async () => {
    await expectError(() => readOnnx(42 as never), 'INVALID_INPUT', /path or a Uint8Array, found number/)
    await expectError(() => readOnnx(null as never), 'INVALID_INPUT', /found null/)
  })

  test('FILE_NOT_FOUND: a missing file and a folder', async () => {
    const path = join(folder, 'absent.onnx')
    const error = await expectError(() => readOnnx(path), 'FILE_NOT_FOUND', path, /no such model file/)
    expect(error.cause).toMatchObject({ code: 'ENOENT' })
    await expectError(() => readOnnx(folder), 'FILE_NOT_FOUND', /found a folder/)
  })
})
