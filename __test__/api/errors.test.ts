import { beforeAll, describe, expect, test } from 'vitest'
import {
  DeepLift,
  DeepLiftError,
  dinucleotideShuffle,
  type Inputs,
  type ScoreOptions,
} from '../../src/index.js'
import { expectError } from '../support/errors.js'
import { loadSequenceModel, oneHot, randomCodes, sequenceModel, twoInputModel } from '../support/models.js'
import { buildModel, node, tensor } from '../support/onnx-builder.js'

const LENGTH = 40
const codes = randomCodes(3 * LENGTH, 1)
const values = () => oneHot(codes, LENGTH)
const inputs: Inputs = { x: { data: values(), shape: [3, 4, LENGTH] } }
const good: ScoreOptions = { references: 'zeros', target: 0 }

let model: DeepLift
beforeAll(async () => {
  model = await loadSequenceModel(LENGTH)
})

/** A call with anything as argument, as JavaScript allows. */
const call = (x: unknown, options: unknown) => () => model.score(x as Inputs, options as ScoreOptions)

describe('inputs', () => {
  const wrong: [string, unknown, DeepLiftError['code'], ...(string | RegExp)[]][] = [
    ['nothing', undefined, 'INVALID_INPUT', 'x: { data, shape: [batch, 4, 40] }'],
    ['no input', {}, 'INVALID_INPUT', 'input "x" is missing'],
    ['an unknown name', { ...inputs, X1: inputs.x }, 'INVALID_INPUT', 'no input "X1"', 'Did you mean "x"'],
    ['no tensor', { x: values() }, 'INVALID_INPUT', 'expected { data, shape }', 'Float32Array'],
    ['plain numbers', { x: { data: [1, 2], shape: [2] } }, 'INVALID_INPUT', 'Float32Array', '[1,2]'],
    [
      'data that are no numbers',
      { x: { data: new DataView(new ArrayBuffer(8)), shape: [8] } },
      'INVALID_INPUT',
      'DataView',
    ],
    ['no shape', { x: { data: values(), shape: 3 } }, 'INVALID_INPUT', 'shape'],
    ['too few values', { x: { data: values(), shape: [4, 4, LENGTH] } }, 'INVALID_INPUT', '640', '480'],
    [
      'a wrong length',
      { x: { data: new Float32Array(3 * 4 * 39), shape: [3, 4, 39] } },
      'INVALID_INPUT',
      '[batch, 4, 40]',
      '[3, 4, 39]',
    ],
    [
      'channels last',
      { x: { data: values(), shape: [3, LENGTH, 4] } },
      'INVALID_INPUT',
      '[batch, 4, 40]',
      '[3, 40, 4]',
    ],
    [
      'no batch axis',
      { x: { data: new Float32Array(4 * LENGTH), shape: [4, LENGTH] } },
      'INVALID_INPUT',
      'batch axis',
      '[1, 4, 40]',
    ],
    [
      'no examples',
      { x: { data: new Float32Array(0), shape: [0, 4, LENGTH] } },
      'INVALID_INPUT',
      'no examples',
    ],
    [
      'one-hot bytes',
      { x: { data: new Uint8Array(480), shape: [3, 4, LENGTH] } },
      'INVALID_INPUT',
      'base codes',
      'Float32Array',
    ],
    [
      'codes of a wrong length',
      { x: { data: new Uint8Array(39), shape: [1, 39] } },
      'INVALID_SEQUENCE',
      '40 bases',
    ],
    [
      'a code that is none',
      { x: { data: codes.slice().fill(7, 41, 42), shape: [3, LENGTH] } },
      'INVALID_SEQUENCE',
      'example 1',
      'position 1',
      'code 7',
    ],
    [
      'NaN',
      { x: { data: values().fill(Number.NaN, 165, 166), shape: [3, 4, LENGTH] } },
      'INVALID_INPUT',
      'example 1',
      'element 5',
      'NaN',
    ],
    [
      'infinity',
      { x: { data: values().fill(Number.NEGATIVE_INFINITY, 479), shape: [3, 4, LENGTH] } },
      'INVALID_INPUT',
      'example 2',
      'element 159',
      '-Infinity',
    ],
  ]
  test.each(wrong)('%s', async (_, x, code, ...patterns) => {
    await expectError(call(x, good), code, ...patterns)
  })

  test('values that are not one-hot, where sequences are shuffled', async () => {
    const data = values()
    data[4 * LENGTH + 7] = 0.5
    const options = { ...good, references: dinucleotideShuffle() }
    await expectError(
      call({ x: { data, shape: [3, 4, LENGTH] } }, options),
      'INVALID_INPUT',
      'example 1',
      'position 7',
      '0.5',
    )
  })

  test('several inputs of different numbers of examples', async () => {
    const two = await DeepLift.load(twoInputModel())
    const a = { data: new Float32Array(6), shape: [2, 3] }
    const b = { data: new Float32Array(15), shape: [3, 5] }
    const target = { output: 'y', index: 0 }
    await expectError(
      () => two.score({ a, b }, { references: 'zeros', target }),
      'INVALID_INPUT',
      'a has 2',
      'b has 3',
    )
    await expectError(
      () => two.score({ a }, { references: 'zeros', target }),
      'INVALID_INPUT',
      '"b" is missing',
    )
  })
})

describe('options', () => {
  const wrong: [string, unknown, ...(string | RegExp)[]][] = [
    ['no options', undefined, /references|target/],
    ['an unknown option', { ...good, refernces: 'zeros' }, '"refernces"', 'Did you mean "references"?'],
    ['options that are none', 'rescale', 'object of options'],
    ['no references', { target: 0 }, 'references', 'dinucleotideShuffle'],
    ['an unknown rule', { ...good, rule: 'rescal' }, "'rescale'", 'Did you mean "rescale"?'],
    ['a wrong override', { ...good, rule: { overrides: { a: 'nope' } } }, 'overrides["a"]'],
    ['no target', { references: 'zeros' }, '3 values', '{ output: "y", index: 0 }', '"y" [batch, 3]'],
    ['an index beyond the output', { ...good, target: 3 }, 'index 3', '3 values'],
    ['a negative index', { ...good, target: -1 }, '-1'],
    ['an index of a wrong rank', { ...good, target: { index: [0, 1] } }, '2 entries', '[3]'],
    ['no targets', { ...good, target: [] }, '[]'],
    ['an unknown output', { ...good, target: { output: 'y1', index: 0 } }, 'y1', 'Did you mean "y"?'],
    ['a head that shapes do not tell', { ...good, target: { head: 'counts' } }, 'two outputs', '"y" [3]'],
    ['a layer that is none', { ...good, layers: 'nowhere' }, 'nowhere'],
    ['an index and a seed', { ...good, target: { index: 0, seed: [1, 0, 0] } }, 'index or seed'],
    ['a seed of a wrong size', { ...good, target: { seed: [1, 0] } }, '3 weights', '2'],
    ['a seed with NaN', { ...good, target: { seed: [1, Number.NaN, 0] } }, 'seed[1]'],
    ['unknown references', { ...good, references: 'zeroes' }, '"zeroes"', 'Did you mean "zeros"?'],
    ['references of no input', { ...good, references: { y: 'zeros' } }, 'no input "y"'],
    [
      'frequencies that do not sum to 1',
      { ...good, references: { background: [0.3, 0.3, 0.3, 0.3] } },
      'sum to 1',
    ],
    ['three frequencies', { ...good, references: { background: [0.3, 0.3, 0.4] } }, 'A, C, G and T'],
    ['references per record', { ...good, references: 'record' }, 'streams'],
    ['an unknown output name', { ...good, outputs: ['contribution'] }, 'Did you mean "contributions"?'],
    ['no output array', { ...good, outputs: 'contributions' }, 'array'],
    ['gradient × input of another rule', { ...good, multiplyBy: 'input' }, "rule: 'gradient'"],
    ['an unknown variant', { ...good, variants: { maxPool: 'cros' } }, 'Did you mean "cross"?'],
    ['hypothetical scores of layers', { ...good, layers: 'r1', outputs: ['hypothetical'] }, 'letters'],
    [
      'an unknown precision',
      { ...good, precision: 'float16' },
      "'float32' or 'float64' or 'bf16x6' or 'bf16x3' or 'bf16'",
    ],
    ['a batch of nothing', { ...good, batchSize: 0 }, 'batchSize', '1'],
    ['a fractional first example', { ...good, firstExample: 0.5 }, 'firstExample'],
    ['no signal', { ...good, signal: {} }, 'AbortSignal'],
    ['no callback', { ...good, onProgress: 3 }, 'onProgress'],
    ['an axis that is none', { ...good, channelAxis: 3 }, 'channelAxis', '[batch, 4, 40]'],
    ['an axis of other extent', { ...good, channelAxis: 2 }, '40 channels'],
  ]
  test.each(wrong)('%s', async (_, options, ...patterns) => {
    await expectError(call(inputs, options), 'INVALID_OPTION', ...patterns)
  })

  test('of shuffles', async () => {
    await expectError(() => dinucleotideShuffle({ count: 0 }), 'INVALID_OPTION', 'count')
    await expectError(() => dinucleotideShuffle({ seed: -1 }), 'INVALID_OPTION', 'seed')
    await expectError(() => dinucleotideShuffle({ n: 3 } as object), 'INVALID_OPTION', '"n"')
  })

  test('of load', async () => {
    const load = (options: object) => () => DeepLift.load(sequenceModel(LENGTH), options)
    await expectError(load({ threads: 0 }), 'INVALID_OPTION', 'threads')
    await expectError(load({ thread: 2 }), 'INVALID_OPTION', 'Did you mean "threads"?')
    await expectError(load({ memory: 'lots' }), 'INVALID_OPTION', "'2GB'")
    await expectError(load({ memory: 12 }), 'INVALID_OPTION', 'at least 1MB')
  })

  test('reference tensors of wrong shapes', async () => {
    const references = (shape: number[]) => ({
      ...good,
      references: { data: new Float32Array(shape.reduce((a, b) => a * b, 1)), shape },
    })
    await expectError(call(inputs, references([3, 4, 39])), 'INVALID_INPUT', '[3, 4, 39]')
    await expectError(call(inputs, references([2, 2, 4, LENGTH])), 'INVALID_INPUT', '[3, R, 4, 40]')
    await expectError(call(inputs, references([0, 4, LENGTH])), 'INVALID_INPUT', 'at least 1')
    const bad = references([4, LENGTH])
    bad.references.data[5] = Number.NaN
    await expectError(call(inputs, bad), 'INVALID_INPUT', 'references', 'element 5', 'NaN')
  })
})

describe('errors', () => {
  test('carry the line of the caller, a code and a cause', async () => {
    const error = await expectError(call(inputs, { ...good, target: 9 }), 'INVALID_OPTION')
    expect(error.stack).toContain('errors.test.ts')
    expect(error.stack).toContain('INVALID_OPTION')
    expect(error.stack).not.toContain('src/options')
    const native = await expectError(
      call(inputs, { ...good, target: { output: 'nowhere', index: 0 } }),
      'INVALID_OPTION',
    )
    expect(native.stack).toContain('errors.test.ts')
    expect(native.cause).toBeInstanceOf(Error)
    expect(native.message).not.toContain('[INVALID_OPTION]')
  })

  test('of stream are thrown by the call itself where they can be', () => {
    expect(() => model.stream(3 as never, good)).toThrow(DeepLiftError)
    expect(() => model.stream([], { ...good, target: 9 })).toThrow(/index 9/)
  })

  test('of one call leave the model as it was', async () => {
    const before = await model.score(inputs, good)
    await expectError(call(inputs, { ...good, target: { output: 'nowhere', index: 0 } }), 'INVALID_OPTION')
    expect(await model.score(inputs, good)).toEqual(before)
  })
})

describe('models', () => {
  const load = (bytes: Uint8Array) => () => DeepLift.load(bytes)

  test('that do not exist', async () => {
    const error = await expectError(() => DeepLift.load('nowhere.onnx'), 'FILE_NOT_FOUND', 'nowhere.onnx')
    expect(error.stack).toContain('errors.test.ts')
  })

  test('whose nodes form a cycle', async () => {
    const bytes = buildModel({
      inputs: { x: ['batch', 3] },
      outputs: { y: ['batch', 3] },
      nodes: [node('Add', ['x', 'b'], ['a']), node('Relu', ['a'], ['b']), node('Relu', ['b'], ['y'])],
    })
    await expectError(load(bytes), 'INVALID_MODEL')
  })

  test('that miss an initialiser', async () => {
    const bytes = buildModel({
      inputs: { x: ['batch', 3] },
      outputs: { y: ['batch', 2] },
      nodes: [node('Gemm', ['x', 'weights'], ['y'])],
    })
    await expectError(load(bytes), 'INVALID_MODEL', 'weights')
  })

  test('with NaN among the weights', async () => {
    const bytes = buildModel({
      inputs: { x: ['batch', 2] },
      outputs: { y: ['batch', 1] },
      nodes: [node('Gemm', ['x', 'w'], ['y'])],
      initializers: [tensor('w', [2, 1], [1, Number.NaN])],
    })
    await expectError(
      async () => {
        const nan = await DeepLift.load(bytes)
        await nan.score({ x: { data: new Float32Array(2), shape: [1, 2] } }, { references: 'zeros' })
      },
      'INVALID_MODEL',
      'w',
      'NaN',
    )
  })

  test('with an operator that has no rule, on the way to the target only', async () => {
    const bytes = buildModel({
      inputs: { x: ['batch', 2] },
      outputs: { y: ['batch', 2], z: ['batch', 2] },
      nodes: [node('Relu', ['x'], ['y']), node('Det', ['x'], ['z'])],
    })
    const odd = await DeepLift.load(bytes)
    const x = { x: { data: Float32Array.of(1, -1), shape: [1, 2] } }
    const references = 'zeros' as const
    const scores = await odd.score(x, { references, target: { output: 'y', index: 0 } })
    expect([...scores.contributions.x!.data]).toEqual([1, 0])
    await expectError(
      () => odd.score(x, { references, target: { output: 'z', index: 0 } }),
      'UNSUPPORTED_OP',
      'Det',
    )
  })
})
