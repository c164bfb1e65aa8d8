import { expect, test } from 'vitest'
import type { Progress } from '../../src/index.js'
import { ProgressMeter, worstOf } from '../../src/progress.js'
import { loadSequenceModel, randomCodes } from '../support/models.js'

const LENGTH = 40

test('progress counts examples up to their number and keeps the worst residual', async () => {
  const model = await loadSequenceModel(LENGTH)
  const seen: Progress[] = []
  const inputs = { x: { data: randomCodes(10 * LENGTH, 1), shape: [10, LENGTH] } }
  const options = {
    references: 'background',
    target: 0,
    batchSize: 4,
    onProgress: (p: Progress) => seen.push(p),
  } as const
  const scores = await model.score(inputs, options)
  expect(seen.map(({ done, total }) => [done, total])).toEqual([
    [4, 10],
    [8, 10],
    [10, 10],
  ])
  expect(seen.at(-1)).toMatchObject({ etaSeconds: 0, worstCompleteness: scores.worstCompleteness })
  expect(seen[0]!.etaSeconds).toBeGreaterThan(0)
  expect(seen[0]!.perSecond).toBeGreaterThan(0)
})

test('of a stream knows the end only if it is told', async () => {
  const model = await loadSequenceModel(LENGTH)
  const seen: Progress[] = []
  const records = [1, 2, 3].map((seed) => ({ codes: randomCodes(LENGTH, seed) }))
  const options = {
    references: 'zeros',
    target: 0,
    batchSize: 2,
    onProgress: (p: Progress) => seen.push(p),
  } as const
  for await (const _ of model.stream(records, options));
  expect(seen.map(({ done, total, etaSeconds }) => [done, total, etaSeconds])).toEqual([
    [2, undefined, undefined],
    [3, undefined, undefined],
  ])
  for await (const _ of model.stream(records, { ...options, total: 3 }));
  expect(seen.at(-1)).toMatchObject({ done: 3, total: 3, etaSeconds: 0 })
})

test('of what is not scored there is no residual to speak of', async () => {
  const model = await loadSequenceModel(LENGTH)
  const seen: object[] = []
  const inputs = { x: { data: randomCodes(2 * LENGTH, 1), shape: [2, LENGTH] } }
  const onProgress = (progress: object) => seen.push(progress)
  await model.predict(inputs, { onProgress })
  await model.mutagenesis(inputs, { target: 0, onProgress })
  expect(seen).toHaveLength(2)
  for (const progress of seen) {
    expect(progress).toMatchObject({ done: 2, total: 2 })
    expect(progress).not.toHaveProperty('worstCompleteness')
  }
})

test('a residual that is no number is the worst', () => {
  expect(worstOf(Float64Array.of(1e-7, 3e-7))).toBe(3e-7)
  expect(worstOf(Float64Array.of(1e-7, Number.NaN, 1))).toBeNaN()
  const meter = new ProgressMeter(2, undefined)
  meter.add(1, Float64Array.of(Number.NaN))
  meter.add(1, Float64Array.of(1))
  expect(meter.worst).toBeNaN()
})
