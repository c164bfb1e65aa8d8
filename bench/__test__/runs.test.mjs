// The benchmarks themselves, on the smallest network and as short as can be: what they measure has the form that
// pages and records expect. Times are not judged.
import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { NETWORKS } from '../networks.mjs'
import { measureSteps } from '../roofline/measure.mjs'
import { measureSweep } from '../scaling/measure.mjs'
import { measureStart } from '../start/measure.mjs'
import { installed } from './dependencies.mjs'

const run = promisify(execFile)
const positive = { asymmetricMatch: (value) => Number.isFinite(value) && value > 0 }
const several = { median: positive, min: positive, max: positive }
const genomics = NETWORKS.find(({ name }) => name === 'genomics')

describe.skipIf(!installed)('npm run bench', () => {
  const script = fileURLToPath(new URL('../bench.mjs', import.meta.url))

  test('--json prints the record of a network', async () => {
    const args = [script, '--quick', '--rounds', '1', '--json', 'genomics']
    const { stdout, stderr } = await run(process.execPath, args)
    rmSync(/^Record: (.*)$/m.exec(stderr)[1])
    expect(JSON.parse(stdout)).toMatchObject({
      date: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      cpu: expect.any(String),
      flags: expect.any(Array),
      node: process.version,
      onnxruntime: expect.stringMatching(/^\d+\./),
      precision: 'float32',
      rounds: 1,
      measured: [
        {
          network: 'genomics',
          threads: 1,
          isa: expect.any(String),
          pairsPerCall: genomics.sequences * genomics.references,
          gflopPerPass: expect.closeTo(0.0107, 3),
          msPerPair: { given: several, shuffled: several },
          msPerForward: { batch: positive, ...several },
          ratio: { given: several, shuffled: several },
          idealRatio: 2.05,
          worstCompleteness: expect.any(Number),
        },
      ],
    })
  })

  test('unknown names end it with their list', async () => {
    await expect(run(process.execPath, [script, 'genomic'])).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('expected genomics, basset'),
    })
  })
})

test('bench:roofline: times and counted work of every step', async () => {
  const small = { ...genomics, sequences: 2, references: 3 }
  const { rows, msPerPair, pairs } = await measureSteps(small, { rounds: 1 })
  expect(pairs).toBe(6)
  const sum = (key) => rows.reduce((total, row) => total + row[key], 0)
  expect(sum('ms')).toBeGreaterThan(0)
  expect(sum('ms')).toBeLessThanOrEqual(msPerPair)
  const convolutions = rows.filter(({ op }) => op === 'Conv')
  expect(convolutions.map(({ pass }) => pass)).toEqual([
    'example',
    'example',
    'forward',
    'forward',
    'adjoint',
    'adjoint',
  ])
  for (const row of convolutions)
    expect(row).toMatchObject({
      ms: positive,
      flops: positive,
      denseFlops: positive,
      bytes: positive,
      footprint: positive,
    })
})

test('bench:scaling: costs of every point', async () => {
  const point = { length: 60, filters: 4, width: 3, sequences: 2, threads: 1 }
  const points = [1, 2].map((references) => ({ ...point, references, x: references }))
  const found = await measureSweep({ points }, { rounds: 1, seconds: 0 })
  expect(found.map(({ x }) => x)).toEqual([1, 2])
  for (const { x, msPerCall, msPerSequence, msPerPair, pairsPerSecond, gflopPerPass } of found) {
    expect([msPerSequence, msPerPair]).toEqual([msPerCall / 2, expect.closeTo(msPerCall / 2 / x, 9)])
    expect(pairsPerSecond).toBeCloseTo(1e3 / msPerPair)
    // 21 taps on 4 letters, three layers of 3 taps on 4 channels, the head.
    expect(gflopPerPass).toBeCloseTo((2 * (60 * 4 * (21 * 4 + 3 * 3 * 4) + 4)) / 1e9, 12)
  }
})

test('bench:start: processes, and the steps to the first score', async () => {
  const { node, api, cli, marks } = await measureStart({ runs: 1 })
  expect([node, api, cli]).toEqual([several, several, several])
  const steps = Object.values(marks)
  expect(Object.keys(marks)).toEqual(['node', 'modules', 'model', 'plan', 'score'])
  expect(steps.toSorted((a, b) => a - b)).toEqual(steps)
})
