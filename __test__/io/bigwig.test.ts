import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BigWig } from '@gmod/bbi'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BigWigWriter } from '../../src/io/bigwig-write.js'
import { expectError } from '../support/errors.js'
import { randomFloats } from '../support/models.js'
import { missingPython, named, python } from '../support/python.js'

/** More chromosomes than a node of their index holds, not in the order of their names. */
const SIZES = new Map<string, number>([
  ['chr2', 50_000],
  ['chr10', 1_000_000],
  ['chr1', 3],
  ...Array.from({ length: 300 }, (_, index) => [`scaffold_${index}`, 20 + index] as const),
])

const RUNS = [
  { chrom: 'chr2', start: 0, values: randomFloats(9_001, 1) },
  { chrom: 'chr2', start: 9_001, values: randomFloats(1, 2) },
  { chrom: 'chr2', start: 20_003, values: randomFloats(4_100, 3) },
  { chrom: 'chr10', start: 999_990, values: randomFloats(10, 4) },
  { chrom: 'scaffold_7', start: 5, values: randomFloats(9, 5) },
  { chrom: 'scaffold_299', start: 0, values: randomFloats(300, 6) },
]

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-bigwig-'))
  await write('a.bw', RUNS)
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})
const at = (name: string) => join(folder, name)

async function write(name: string, runs: readonly { chrom: string; start: number; values: Float32Array }[]) {
  const writer = await BigWigWriter.create(at(name), SIZES)
  for (const { chrom, start, values } of runs) await writer.append(chrom, start, values)
  await writer.finish()
}

/** The values written in `[start, end)` of a chromosome, by position. */
function written(chrom: string, start: number, end: number): Map<number, number> {
  const found = new Map<number, number>()
  for (const run of RUNS)
    if (run.chrom === chrom)
      for (const [index, value] of run.values.entries())
        if (run.start + index >= start && run.start + index < end) found.set(run.start + index, value)
  return found
}

describe('@gmod/bbi reads', () => {
  test.each([
    ['chr2', 0, 50_000],
    ['chr2', 8_990, 9_010],
    ['chr2', 9_002, 20_003],
    ['chr10', 999_000, 1_000_000],
    ['chr1', 0, 3],
    ['scaffold_7', 0, 27],
    ['scaffold_299', 100, 101],
  ])('the values of %s:%i-%i', async (chrom, start, end) => {
    const file = new BigWig({ path: at('a.bw') })
    const features = await file.getFeatures(chrom, start, end)
    const read = features.filter((each) => each.start >= start && each.end <= end)
    for (const each of read) expect(each.end - each.start).toBe(1)
    expect(new Map(read.map((each) => [each.start, each.score]))).toEqual(written(chrom, start, end))
  })

  test('lengths of chromosomes and totals', async () => {
    const { refsByName, refsByNumber, totalSummary } = await new BigWig({ path: at('a.bw') }).getHeader()
    expect(new Map(Object.values(refsByNumber).map(({ name, length }) => [name, length]))).toEqual(SIZES)
    expect(refsByName.chr10).toBe(1)
    const values = RUNS.flatMap((run) => [...run.values])
    const sum = values.reduce((total, value) => total + value, 0)
    expect(totalSummary).toMatchObject({
      basesCovered: values.length,
      scoreMin: Math.min(...values),
      scoreMax: Math.max(...values),
    })
    expect(totalSummary.scoreSum).toBeCloseTo(sum, 9)
  })

  test('each level of zoom, whose bins summarise their values', async () => {
    const file = new BigWig({ path: at('a.bw') })
    const { zoomLevels } = await file.getHeader()
    expect(zoomLevels.map(({ reductionLevel }) => reductionLevel)).toEqual([
      10, 40, 160, 640, 2560, 10_240, 40_960, 163_840, 655_360,
    ])
    for (const { reductionLevel: size } of zoomLevels) {
      const features = await file.getFeatures('chr2', 0, 50_000, { basesPerSpan: size / 2 })
      expect(features.length).toBeGreaterThan(0)
      let bases = 0
      for (const { start, end, score, minScore, maxScore } of features) {
        expect(Math.floor((end - 1) / size)).toBe(Math.floor(start / size))
        const values = [...written('chr2', start, end).values()]
        bases += values.length
        const mean = values.reduce((total, value) => total + value, 0) / values.length
        expect(Math.abs(score! - mean)).toBeLessThan(1e-6)
        expect(minScore).toBe(Math.min(...values))
        expect(maxScore).toBe(Math.max(...values))
      }
      expect(bases).toBe(written('chr2', 0, 50_000).size)
    }
  })
})

const noReaders = missingPython('readers')

const PROGRAM = `
import json, pyBigWig, sys
bw = pyBigWig.open(sys.argv[1])
print(json.dumps({
    "chroms": len(bw.chroms()), "header": bw.header()["nBasesCovered"],
    "values": bw.values("chr2", 20003, 24103), "last": bw.values("scaffold_299", 0, 300),
    "max": bw.stats("chr2", 0, 40960, type="max"), "coverage": bw.stats("chr2", 0, 50000, type="coverage"),
    "mean": bw.stats("scaffold_299", 0, 300, exact=True)}))
`

test.skipIf(noReaders)(named('pyBigWig reads the same', noReaders), () => {
  const found = python('readers', PROGRAM, [at('a.bw')]) as Record<string, number[]>
  const [, , long, , , last] = RUNS
  expect(found).toMatchObject({ chroms: SIZES.size, header: 9_001 + 1 + 4_100 + 10 + 9 + 300 })
  expect(found.values).toEqual([...long!.values])
  expect(found.last).toEqual([...last!.values])
  expect(found.max).toEqual([Math.max(...written('chr2', 0, 40_960).values())])
  expect(found.coverage![0]).toBeCloseTo(13_102 / 50_000, 6)
  expect(found.mean![0]).toBeCloseTo(last!.values.reduce((sum, value) => sum + value, 0) / 300, 6)
})

test('the index of chromosomes comes before the data, and equal values are equal bytes', async () => {
  const bytes = await readFile(at('a.bw'))
  expect(bytes.readBigUInt64LE(8)).toBeLessThan(bytes.readBigUInt64LE(16))
  expect(bytes.readUInt32LE(bytes.length - 4)).toBe(bytes.readUInt32LE(0))
  await write('b.bw', RUNS)
  expect((await readFile(at('b.bw'))).equals(bytes)).toBe(true)
})

test('a file without values is one', async () => {
  await write('none.bw', [])
  const file = new BigWig({ path: at('none.bw') })
  expect(await file.getFeatures('chr2', 0, 50_000)).toEqual([])
  expect((await file.getHeader()).zoomLevels.length).toBeGreaterThan(0)
})

test('more blocks than three levels of their index hold are found', async () => {
  const sizes = new Map([['chr1', 3_000_000]])
  const writer = await BigWigWriter.create(at('many.bw'), sizes)
  // Every run is a block of its own.
  for (let start = 0; start < 140_000; start += 2) await writer.append('chr1', start, Float32Array.of(start))
  await writer.finish()
  const file = new BigWig({ path: at('many.bw') })
  for (const start of [0, 510, 512, 131_070, 131_072, 139_998]) {
    const [first] = await file.getFeatures('chr1', start, start + 1)
    expect(first).toMatchObject({ start, end: start + 1, score: start })
  }
})

test.each([
  ['chr3', 0, 'not listed'],
  ['chr1', 2, 'reach over the 3 bases'],
  ['chr2', 24_000, 'come before others'],
  ['chr2', -1, 'reach over'],
])('values at %s:%i are refused, and nothing is left', async (chrom, start, message) => {
  const before = await readdir(folder)
  const writer = await BigWigWriter.create(at('c.bw'), SIZES)
  await writer.append('chr2', 20_003, RUNS[2]!.values)
  await expectError(() => writer.append(chrom, start, new Float32Array(2)), 'INVALID_INPUT', message)
  await writer.abort()
  await writer.abort()
  expect(await readdir(folder)).toEqual(before)
})
