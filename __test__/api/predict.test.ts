import { beforeAll, describe, expect, test } from 'vitest'
import { DeepLift, type PredictBatch, type RunProgress } from '../../src/index.js'
import { expectError } from '../support/errors.js'
import {
  DEMO_MODEL,
  loadSequenceModel,
  oneHot,
  profileModel,
  randomCodes,
  randomFloats,
  twoInputModel,
} from '../support/models.js'
import { largestDifference } from '../support/numbers.js'
import { buildModel, DType, node, tensor } from '../support/onnx-builder.js'

const LENGTH = 40

let model: DeepLift
beforeAll(async () => {
  model = await loadSequenceModel(LENGTH)
})

const codesOf = (examples: number) => ({ data: randomCodes(examples * LENGTH, 3), shape: [examples, LENGTH] })

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

describe('values', () => {
  test('are the outputs that scores report', async () => {
    const x = codesOf(9)
    const { y } = await model.predict({ x })
    const scores = await model.score({ x }, { references: 'zeros', target: [0, 1, 2], outputs: [] })
    expect(y!.shape).toEqual([9, 3])
    expect(y!.data).toBeInstanceOf(Float32Array)
    expect(largestDifference(y!.data, scores.output.data)).toBeLessThan(1e-5)
  })

  test('are those of plain loops', async () => {
    const two = await DeepLift.load(twoInputModel())
    const [a, b] = [randomFloats(6, 1), randomFloats(10, 2)]
    const inputs = { a: { data: a, shape: [2, 3] }, b: { data: b, shape: [2, 5] } }
    const { y, z } = await two.predict(inputs, { precision: 'float64' })
    const [wa, wb] = [randomFloats(6, 7), randomFloats(10, 8)]
    for (const example of [0, 1])
      for (const unit of [0, 1]) {
        let sum = 0
        for (let k = 0; k < 3; k++) sum += a[example * 3 + k]! * wa[k * 2 + unit]!
        for (let k = 0; k < 5; k++) sum += b[example * 5 + k]! * wb[k * 2 + unit]!
        expect(z!.data[example * 2 + unit]).toBeCloseTo(sum, 12)
        expect(y!.data[example * 2 + unit]).toBeCloseTo(Math.max(sum, 0), 12)
      }
    expect(z!.data).toBeInstanceOf(Float64Array)
  })

  test('are the same of codes and of values, and of any batch', async () => {
    const x = codesOf(11)
    const whole = await model.predict({ x })
    const values = { data: oneHot(x.data, LENGTH), shape: [11, 4, LENGTH] }
    for (const batchSize of [1, 3, 11]) {
      expect((await model.predict({ x }, { batchSize })).y!.data).toEqual(whole.y!.data)
      expect((await model.predict({ x: values }, { batchSize })).y!.data).toEqual(whole.y!.data)
    }
    const alone = await loadSequenceModel(LENGTH, { threads: 1 })
    expect((await alone.predict({ x })).y!.data).toEqual(whole.y!.data)
  })

  test('of some outputs, and of tensors inside the model', async () => {
    const profile = await DeepLift.load(profileModel(20))
    const inputs = {
      sequence: { data: randomCodes(40, 5), shape: [2, 20] },
      control: { data: randomFloats(48, 6), shape: [2, 2, 12] },
    }
    const all = await profile.predict(inputs)
    expect(Object.keys(all)).toEqual(['counts', 'profile'])
    const some = await profile.predict(inputs, { outputs: ['profile', 'h'] })
    expect(Object.keys(some)).toEqual(['profile', 'h'])
    expect(some.profile).toEqual(all.profile)
    expect(some.h!.shape).toEqual([2, 6, 16])
    expect(some.h!.data.every((value) => value >= 0)).toBe(true)
  })

  test('of a model that cannot be explained', async () => {
    const bytes = buildModel({
      inputs: { x: ['batch', 3] },
      outputs: { best: ['batch', 1] },
      nodes: [
        node('Gemm', ['x', 'w'], ['h']),
        node('ArgMax', ['h'], ['i'], { axis: 1 }),
        node('Cast', ['i'], ['best'], { to: DType.FLOAT }),
      ],
      initializers: [tensor('w', [3, 3], [1, 0, 0, 0, 1, 0, 0, 0, 1])],
    })
    const ranking = await DeepLift.load(bytes)
    const x = { data: Float32Array.of(1, 3, 2, 5, 4, 0), shape: [2, 3] }
    await expectError(() => ranking.score({ x }, { references: 'zeros' }), 'UNSUPPORTED_OP')
    expect([...(await ranking.predict({ x })).best!.data]).toEqual([1, 0])
  })
})

describe('streams', () => {
  const records = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ name: `s${index}`, codes: randomCodes(LENGTH, index) }))

  test('give in order what predict gives', async () => {
    const given = records(23)
    const batches: PredictBatch[] = await collect(model.predictStream(given, { batchSize: 5 }))
    expect(batches.map(({ first }) => first)).toEqual([0, 5, 10, 15, 20])
    expect(batches.flatMap((batch) => batch.records)).toEqual(given)
    const data = Uint8Array.from(given.flatMap(({ codes }) => [...codes]))
    const whole = await model.predict({ x: { data, shape: [23, LENGTH] } })
    expect(batches.flatMap(({ outputs }) => [...outputs.y!.data])).toEqual([...whole.y!.data])
    expect(await collect(model.predictStream([]))).toEqual([])
  })

  test('report progress and end on an abort', async () => {
    const seen: RunProgress[] = []
    const options = { batchSize: 4, total: 10, onProgress: (progress: RunProgress) => seen.push(progress) }
    await collect(model.predictStream(records(10), options))
    expect(seen.map(({ done, total }) => [done, total])).toEqual([
      [4, 10],
      [8, 10],
      [10, 10],
    ])
    const controller = new AbortController()
    const stream = model.predictStream(records(1000), { batchSize: 1, signal: controller.signal })
    await stream.next()
    controller.abort()
    await expectError(() => collect(stream), 'ABORTED', /Predicting was aborted/)
    const signal = AbortSignal.abort()
    await expectError(() => model.predict({ x: codesOf(2) }, { signal }), 'ABORTED')
  })
})

describe('errors', () => {
  test('name what is wrong', async () => {
    const x = codesOf(1)
    await expectError(() => model.predict({ x }, { outputs: ['Y'] }), 'INVALID_OPTION', /"y"/)
    await expectError(() => model.predict({ x }, { outputs: [] }), 'INVALID_OPTION', 'outputs')
    await expectError(() => model.predict({ x }, { outputs: ['y', 'y'] }), 'INVALID_OPTION', 'twice')
    await expectError(
      () => model.predict({ x }, { target: 1 } as object),
      'INVALID_OPTION',
      'no option "target"',
    )
    await expectError(() => model.predict({ z: x }), 'INVALID_INPUT', 'no input "z"')
    await expectError(() => model.predictStream({} as never), 'INVALID_INPUT', 'predictStream')
    const wrong = { data: Uint8Array.from({ length: LENGTH }, () => 7), shape: [1, LENGTH] }
    await expectError(() => model.predict({ x: wrong }), 'INVALID_SEQUENCE', 'base code 7')
    const short = [{ codes: randomCodes(LENGTH - 1, 1) }]
    await expectError(() => collect(model.predictStream(short)), 'INVALID_SEQUENCE', 'expected')
  })

  test('the demo predicts with codes', async () => {
    const demo = await DeepLift.load(DEMO_MODEL)
    const length = demo.inputs[0]!.shape[2] as number
    const x = { data: randomCodes(length, 1), shape: [1, length] }
    const outputs = await demo.predict({ [demo.inputs[0]!.name]: x })
    expect(Object.keys(outputs)).toEqual(demo.outputs.map(({ name }) => name))
  })
})
