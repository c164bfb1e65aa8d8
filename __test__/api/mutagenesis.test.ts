import { beforeAll, describe, expect, test } from 'vitest'
import { DeepLift, type FloatArray, type Inputs, type MutagenesisBatch } from '../../src/index.js'
import { expectError } from '../support/errors.js'
import {
  channelsLastModel,
  DEMO_MODEL,
  loadSequenceModel,
  oneHot,
  profileModel,
  randomCodes,
  randomFloats,
  twoInputModel,
} from '../support/models.js'
import { largest, largestDifference } from '../support/numbers.js'
import { buildModel, node } from '../support/onnx-builder.js'

const LENGTH = 40

let model: DeepLift
beforeAll(async () => {
  model = await loadSequenceModel(LENGTH)
})

const codesOf = (examples: number, seed = 3) => ({
  data: randomCodes(examples * LENGTH, seed),
  shape: [examples, LENGTH],
})

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** `[4, LENGTH]`: element `element` of `output` under each mutation less that without, by predicting all mutants. */
async function predicted(
  of: DeepLift,
  codes: Uint8Array,
  input: string,
  output: string,
  value: (row: FloatArray) => number,
  others: Inputs = {},
): Promise<Float64Array> {
  const length = codes.length
  const rows = 1 + 4 * length
  const all = new Uint8Array(rows * length)
  for (let row = 0; row < rows; row++) all.set(codes, row * length)
  for (let letter = 0; letter < 4; letter++)
    for (let position = 0; position < length; position++)
      all[(1 + letter * length + position) * length + position] = letter
  const repeated = Object.fromEntries(
    Object.entries(others).map(([name, { data, shape }]) => {
      const tensor = data as Float32Array
      const whole = new Float32Array(rows * tensor.length)
      for (let row = 0; row < rows; row++) whole.set(tensor, row * tensor.length)
      return [name, { data: whole, shape: [rows, ...shape.slice(1)] }]
    }),
  )
  const tensors = await of.predict({ [input]: { data: all, shape: [rows, length] }, ...repeated })
  const { data } = tensors[output]!
  const size = data.length / rows
  const values = Array.from({ length: rows }, (_, row) => value(data.subarray(row * size, (row + 1) * size)))
  return Float64Array.from(values.slice(1), (each) => each - values[0]!)
}

describe('effects', () => {
  test('are those of predicting every mutant; none for the letter that is there', async () => {
    const x = codesOf(2)
    const { effects, output, warnings } = await model.mutagenesis({ x }, { target: [1, 2] })
    expect(effects.shape).toEqual([2, 2, 4, LENGTH])
    expect(output.shape).toEqual([2, 2])
    expect(warnings).toEqual([])
    const { y } = await model.predict({ x })
    for (const example of [0, 1]) {
      const codes = x.data.subarray(example * LENGTH, (example + 1) * LENGTH)
      for (const [slot, element] of [1, 2].entries()) {
        const expected = await predicted(model, codes, 'x', 'y', (row) => row[element]!)
        const at = (example * 2 + slot) * 4 * LENGTH
        const found = effects.data.subarray(at, at + 4 * LENGTH)
        expect(largestDifference(found, expected)).toBeLessThan(1e-5 * largest(y!.data))
        expect(output.data[example * 2 + slot]).toBeCloseTo(y!.data[example * 3 + element]!, 5)
        for (const [position, code] of codes.entries()) expect(found[code * LENGTH + position]).toBe(0)
      }
    }
  })

  test('of a window are those of the whole; of codes and of values the same', async () => {
    const x = codesOf(3)
    const whole = await model.mutagenesis({ x }, { target: 0 })
    const part = await model.mutagenesis({ x }, { target: 0, window: [5, 17] })
    expect(part.effects.shape).toEqual([3, 4, 12])
    const cut = Array.from({ length: 12 }, (_, row) =>
      whole.effects.data.subarray(row * LENGTH + 5, row * LENGTH + 17),
    )
    expect(
      largestDifference(
        part.effects.data,
        cut.flatMap((row) => [...row]),
      ),
    ).toBeLessThan(1e-6)
    const values = { data: oneHot(x.data, LENGTH), shape: [3, 4, LENGTH] }
    for (const batchSize of [1, 2]) {
      const same = await model.mutagenesis({ x: values }, { target: 0, batchSize })
      expect(same).toEqual(whole)
    }
  })

  test('are laid out as the input is', async () => {
    const last = await DeepLift.load(channelsLastModel(LENGTH))
    const x = codesOf(1)
    const first = await model.mutagenesis({ x }, { target: 0, precision: 'float64' })
    const turned = await last.mutagenesis({ x }, { target: 0, precision: 'float64' })
    expect(turned.effects.shape).toEqual([1, LENGTH, 4])
    for (let position = 0; position < LENGTH; position++)
      for (let letter = 0; letter < 4; letter++)
        expect(turned.effects.data[position * 4 + letter]).toBeCloseTo(
          first.effects.data[letter * LENGTH + position]!,
          12,
        )
  })

  test('of heads, with the other input held fixed', async () => {
    const heads = await DeepLift.load(profileModel(20))
    const codes = randomCodes(20, 5)
    const control = { data: randomFloats(24, 6), shape: [1, 2, 12] }
    const inputs = { sequence: { data: codes, shape: [1, 20] }, control }
    const target = [{ head: 'counts' as const }, { output: 'profile', index: [0, [2, 5]] as const }]
    const { effects } = await heads.mutagenesis(inputs, { target: target as never })
    expect(effects.shape).toEqual([1, 2, 4, 20])
    const counts = await predicted(heads, codes, 'sequence', 'counts', (row) => row[0]!, { control })
    expect(largestDifference(effects.data.subarray(0, 80), counts)).toBeLessThan(1e-5)
    const sum = (row: FloatArray) => row[2]! + row[3]! + row[4]!
    const profile = await predicted(heads, codes, 'sequence', 'profile', sum, { control })
    expect(largestDifference(effects.data.subarray(80), profile)).toBeLessThan(1e-5)
    const open = await DeepLift.load(profileModel(20, { open: true }))
    expect((await open.mutagenesis(inputs, { target: target as never })).effects).toEqual(effects)
  })

  test('are looked at before a saturating layer unless peel is false', async () => {
    const net = (last: string) =>
      buildModel({
        inputs: { x: ['batch', 4, 6] },
        outputs: { y: ['batch', 1] },
        nodes: [
          node('ReduceMean', ['x'], ['m'], { axes: [2], keepdims: 0 }),
          node('ReduceMax', ['m'], ['z'], { axes: [1], keepdims: 1 }),
          node(last, ['z'], ['y']),
        ],
        opset: 11,
      })
    const [squashed, plain] = [await DeepLift.load(net('Sigmoid')), await DeepLift.load(net('Identity'))]
    const x = { data: Uint8Array.of(0, 0, 0, 1, 2, 3), shape: [1, 6] }
    const peeled = await squashed.mutagenesis({ x })
    expect(peeled.warnings.join()).toContain('logits')
    expect(peeled.effects).toEqual((await plain.mutagenesis({ x })).effects)
    const whole = await squashed.mutagenesis({ x }, { peel: false })
    expect(whole.output.data[0]).toBeCloseTo(1 / (1 + Math.exp(-0.5)), 6)
  })

  test('of the trained demo agree with predictions', async () => {
    const demo = await DeepLift.load(DEMO_MODEL)
    const { name, shape } = demo.inputs[0]!
    const codes = randomCodes(shape[2] as number, 8)
    const output = demo.outputs[0]!.name
    const x = { data: codes, shape: [1, codes.length] }
    const { effects } = await demo.mutagenesis({ [name]: x }, { target: 1 })
    const expected = await predicted(demo, codes, name, output, (row) => row[1]!)
    expect(largestDifference(effects.data, expected)).toBeLessThan(1e-4)
  })
})

describe('streams', () => {
  const records = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ name: `s${index}`, codes: randomCodes(LENGTH, index) }))

  test('give in order what mutagenesis gives, and end on an abort', async () => {
    const given = records(5)
    const options = { target: 1, batchSize: 2, window: [3, 30] as const }
    const done: number[] = []
    const batches: MutagenesisBatch[] = await collect(
      model.mutagenesisStream(given, {
        ...options,
        total: 5,
        onProgress: (progress) => done.push(progress.done),
      }),
    )
    expect(done).toEqual([2, 4, 5])
    expect(batches.flatMap((batch) => batch.records)).toEqual(given)
    const data = Uint8Array.from(given.flatMap(({ codes }) => [...codes]))
    const whole = await model.mutagenesis({ x: { data, shape: [5, LENGTH] } }, options)
    expect(batches.flatMap(({ effects }) => [...effects.data])).toEqual([...whole.effects.data])
    const controller = new AbortController()
    const stream = model.mutagenesisStream(records(500), {
      target: 0,
      signal: controller.signal,
      batchSize: 1,
    })
    await stream.next()
    controller.abort()
    await expectError(() => collect(stream), 'ABORTED', /Mutagenesis was aborted/)
  })
})

describe('errors', () => {
  test('name what is wrong', async () => {
    const x = codesOf(1)
    const refused = (options: object, ...patterns: (RegExp | string)[]) =>
      expectError(() => model.mutagenesis({ x }, options), 'INVALID_OPTION', ...patterns)
    await refused({}, 'y')
    await refused({ target: 7 }, '7')
    await refused({ target: 0, window: [4, 4] }, 'window')
    await refused({ target: 0, window: [4] }, 'window')
    await refused({ target: 0, window: [30, 41] }, '40')
    await refused({ target: 0, input: 'X' }, 'Did you mean "x"')
    await refused({ target: 0, references: 'zeros' }, 'no option "references"')
    await refused({ target: 0, outputs: ['y'] }, 'no option "outputs"')
    const two = await DeepLift.load(twoInputModel())
    const inputs = {
      a: { data: new Float32Array(3), shape: [1, 3] },
      b: { data: new Float32Array(5), shape: [1, 5] },
    }
    await expectError(
      () => two.mutagenesis(inputs, { target: { output: 'y', index: 0 } }),
      'INVALID_OPTION',
      'letters',
    )
  })
})
