import { beforeAll, describe, expect, test } from 'vitest'
import { DeepLift, type DeepLiftError, dinucleotideShuffle, type StreamRecord } from '../../src/index.js'
import { expectError } from '../support/errors.js'
import { loadSequenceModel, oneHot, randomCodes, randomFloats, twoInputModel } from '../support/models.js'

const LENGTH = 40
const shuffles = dinucleotideShuffle({ count: 4, seed: 9 })
const options = { references: shuffles, target: 1 }

let model: DeepLift
beforeAll(async () => {
  model = await loadSequenceModel(LENGTH)
})

const record = (index: number) => ({ name: `s${index}`, codes: randomCodes(LENGTH, index) })

/** Records that count how many were taken, and whether the source was told that no more are needed. */
function source(count: number) {
  const state = { taken: 0, returned: false }
  async function* records() {
    try {
      for (let index = 0; index < count; index++) {
        state.taken++
        yield record(index)
      }
    } finally {
      state.returned = true
    }
  }
  return { state, records: records() }
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

describe('results', () => {
  test('come in order and are those of score, bit for bit', async () => {
    const batches = await collect(model.stream(source(23).records, { ...options, batchSize: 4 }))
    expect(batches.map(({ first }) => first)).toEqual([0, 4, 8, 12, 16, 20])
    expect(batches.flatMap(({ records }) => records.map(({ name }) => name))).toEqual(
      Array.from({ length: 23 }, (_, index) => `s${index}`),
    )
    const codes = Uint8Array.from(Array.from({ length: 23 }, (_, index) => [...record(index).codes]).flat())
    const whole = await model.score({ x: { data: codes, shape: [23, LENGTH] } }, options)
    expect(batches.flatMap(({ contributions }) => [...contributions.x!.data])).toEqual([
      ...whole.contributions.x!.data,
    ])
    expect(batches.flatMap(({ completeness }) => [...completeness.data])).toEqual([
      ...whole.completeness.data,
    ])
  })

  test('of a plain array of records, of no records, and of one', async () => {
    const three = await collect(model.stream([record(0), record(1), record(2)], options))
    expect(three.flatMap(({ records }) => records)).toHaveLength(3)
    expect(await collect(model.stream([], options))).toEqual([])
    expect(await collect(model.stream([record(0)], options))).toHaveLength(1)
  })

  test('of records of tensors with references of their own', async () => {
    const codes = randomCodes(5 * LENGTH, 41)
    const values = oneHot(codes, LENGTH)
    const size = 4 * LENGTH
    const data = randomFloats(5 * 3 * size, 42)
    const records = Array.from({ length: 5 }, (_, index) => ({
      inputs: { x: { data: values.subarray(index * size, (index + 1) * size), shape: [4, LENGTH] } },
      references: {
        x: { data: data.subarray(index * 3 * size, (index + 1) * 3 * size), shape: [3, 4, LENGTH] },
      },
    }))
    const streamed = await collect(model.stream(records, { references: 'record', target: 0, batchSize: 2 }))
    const whole = await model.score(
      { x: { data: values, shape: [5, 4, LENGTH] } },
      { references: { data, shape: [5, 3, 4, LENGTH] }, target: 0 },
    )
    expect(streamed.flatMap(({ contributions }) => [...contributions.x!.data])).toEqual([
      ...whole.contributions.x!.data,
    ])
  })

  test('of a model with two inputs', async () => {
    const two = await DeepLift.load(twoInputModel())
    const records = [0, 1, 2].map((index) => ({
      inputs: {
        a: { data: randomFloats(3, index), shape: [3] },
        b: { data: randomFloats(5, index + 10), shape: [5] },
      },
    }))
    const target = { output: 'y', index: 1 }
    const [batch] = await collect(two.stream(records, { references: 'zeros', target }))
    expect(batch!.contributions.b!.shape).toEqual([3, 5])
    expect(batch!.worstCompleteness).toBeLessThan(1e-5)
  })
})

describe('back-pressure', () => {
  test('nothing is read before the first batch is asked for', async () => {
    const { state, records } = source(100)
    const stream = model.stream(records, options)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(state.taken).toBe(0)
    await stream.return(undefined)
  })

  test('no more is read than a few batches ahead of a slow consumer', async () => {
    const { state, records } = source(1000)
    let seen = 0
    for await (const batch of model.stream(records, { ...options, batchSize: 5 })) {
      seen += batch.records.length
      await new Promise((resolve) => setTimeout(resolve, 5))
      expect(state.taken).toBeLessThanOrEqual(seen + 5 * 5)
      if (seen >= 100) break
    }
    expect(state.returned).toBe(true)
  })

  test('a source that pauses holds up nothing that is done', async () => {
    let release = () => {}
    const pause = new Promise<void>((resolve) => {
      release = resolve
    })
    async function* slow() {
      yield record(0)
      yield record(1)
      await pause
      yield record(2)
    }
    const stream = model.stream(slow(), { ...options, batchSize: 1 })
    expect((await stream.next()).value?.first).toBe(0)
    expect((await stream.next()).value?.first).toBe(1)
    release()
    expect((await stream.next()).value?.first).toBe(2)
    expect((await stream.next()).done).toBe(true)
  })
})

describe('ends', () => {
  test('an abort rejects with ABORTED and the reason, and the source is closed', async () => {
    const { state, records } = source(100_000)
    const controller = new AbortController()
    const reason = new Error('the window was closed')
    const run = async () => {
      for await (const batch of model.stream(records, {
        ...options,
        batchSize: 8,
        signal: controller.signal,
      }))
        if (batch.first >= 16) controller.abort(reason)
    }
    const error = await expectError(run, 'ABORTED')
    expect(error.cause).toBe(reason)
    expect(state.returned).toBe(true)
    expect(state.taken).toBeLessThan(1000)
  })

  test('an abort does not wait for a source that hangs', async () => {
    const controller = new AbortController()
    async function* hanging() {
      yield record(0)
      await new Promise(() => {})
    }
    const stream = model.stream(hanging(), { ...options, batchSize: 1, signal: controller.signal })
    await stream.next()
    const next = stream.next()
    setTimeout(() => controller.abort(), 10)
    await expectError(() => next, 'ABORTED')
    const first = model.stream(
      (async function* (): AsyncGenerator<StreamRecord> {
        await new Promise(() => {})
      })(),
      { ...options, signal: AbortSignal.timeout(10) },
    )
    await expectError(() => first.next(), 'ABORTED')
  })

  test('a signal that has fired reads nothing', async () => {
    const { state, records } = source(3)
    await expectError(
      () => model.stream(records, { ...options, signal: AbortSignal.abort() }).next(),
      'ABORTED',
    )
    expect(state.taken).toBe(0)
  })

  test('score is aborted in the middle of its work', async () => {
    const codes = randomCodes(20_000 * LENGTH, 51)
    const controller = new AbortController()
    let done = 0
    const onProgress = (progress: { done: number }) => {
      done = progress.done
      controller.abort()
    }
    const run = () =>
      model.score(
        { x: { data: codes, shape: [20_000, LENGTH] } },
        { ...options, signal: controller.signal, onProgress },
      )
    await expectError(run, 'ABORTED')
    expect(done).toBeGreaterThan(0)
    expect(done).toBeLessThan(20_000)
  })

  test('an error of the source passes as it is, after the batches before it', async () => {
    const problem = new TypeError('disk on fire')
    async function* broken() {
      yield record(0)
      yield record(1)
      throw problem
    }
    const seen: number[] = []
    const run = async () => {
      for await (const { first } of model.stream(broken(), { ...options, batchSize: 1 })) seen.push(first)
    }
    await expect(run()).rejects.toBe(problem)
    expect(seen).toEqual([0, 1])
  })

  test('an error of the progress callback passes as it is', async () => {
    const problem = new RangeError('no')
    const onProgress = () => {
      throw problem
    }
    const codes = { x: { data: randomCodes(LENGTH, 1), shape: [1, LENGTH] } }
    await expect(model.score(codes, { ...options, onProgress })).rejects.toBe(problem)
  })
})

describe('records that do not fit', () => {
  const fail = (records: unknown[], ...patterns: (string | RegExp)[]) =>
    expectError(
      () => collect(model.stream(records as StreamRecord[], { ...options, batchSize: 2 })),
      patterns[0] as DeepLiftError['code'],
      ...patterns.slice(1),
    )

  test('are named', async () => {
    const short = { name: 'chr1:7', codes: randomCodes(LENGTH - 1, 1) }
    await fail([short], 'INVALID_SEQUENCE', 'record "chr1:7"', /40 bases/, /39/)
    await fail([record(0), record(1), record(2), short], 'INVALID_SEQUENCE', 'record "chr1:7"', /40/, /39/)
    const wrong = { codes: randomCodes(LENGTH, 1).fill(9, 5, 6) }
    await fail([record(0), wrong], 'INVALID_SEQUENCE', 'record 1', 'position 5', 'code 9')
    await fail([{ codes: [1, 2] }], 'INVALID_INPUT', 'record 0', 'Uint8Array')
    await fail([null], 'INVALID_INPUT', 'record 0')
    const values = { data: new Float32Array(4 * LENGTH), shape: [4, LENGTH] }
    await fail([{ inputs: { y: values } }], 'INVALID_INPUT', 'no input "y"')
    const half = { data: new Float32Array(4 * LENGTH).fill(0.5), shape: [4, LENGTH] }
    await fail([{ name: 'soft', inputs: { x: half } }], 'INVALID_INPUT', '"soft"', 'position 0', 'one-hot')
  })
})
