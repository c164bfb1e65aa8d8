/** Which window gives the score of a position, against the rule applied position by position. */

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BigWig } from '@gmod/bbi'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BigWigRowsWriter, stretches } from '../../src/formats/bigwig.js'
import type { Site } from '../../src/formats/rows.js'
import { SiteList } from '../../src/formats/site-list.js'
import { expectError } from '../support/errors.js'
import { randomFloats } from '../support/models.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-tracks-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

const LENGTH = 8
const SIZES = new Map([
  ['b', 60],
  ['a', 30],
])
const site = (chrom: string, summit: number): Site => ({
  chrom,
  start: summit - LENGTH / 2,
  end: summit + LENGTH / 2,
  summit,
})

/** The window at each covered position: the nearest by summit, the later of two at the midpoint. */
function oracle(sites: readonly Site[]): Map<string, number> {
  const order = [...sites.keys()].sort(
    (x, y) =>
      [...SIZES.keys()].indexOf(sites[x]!.chrom) - [...SIZES.keys()].indexOf(sites[y]!.chrom) ||
      sites[x]!.start - sites[y]!.start ||
      x - y,
  )
  const owner = new Map<string, number>()
  for (const [rank, row] of order.entries()) {
    const { chrom, start, end, summit } = sites[row]!
    for (let position = Math.max(0, start); position < Math.min(end, SIZES.get(chrom)!); position++) {
      const next = sites[order[rank + 1]!]
      const before = sites[order[rank - 1]!]
      const midpoint = (other: Site) => Math.floor((summit + other.summit) / 2)
      if (next?.chrom === chrom && next.start < end && position >= midpoint(next)) continue
      if (before?.chrom === chrom && start < before.end && position < midpoint(before)) continue
      owner.set(`${chrom}:${position}`, row)
    }
  }
  return owner
}

test('windows of one length are cut at the midpoints of neighbouring summits', () => {
  const anySite = fc.oneof(
    fc.integer({ min: 0, max: 59 }).map((summit) => site('b', summit)),
    fc.integer({ min: 0, max: 29 }).map((summit) => site('a', summit)),
  )
  fc.assert(
    fc.property(fc.array(anySite), (sites) => {
      const found = new Map<string, number>()
      let last = { rank: -1, to: 0 }
      for (const { row, chrom, from, to } of stretches(SiteList.from(sites), SIZES)) {
        const rank = [...SIZES.keys()].indexOf(chrom)
        expect(rank > last.rank || (rank === last.rank && from >= last.to)).toBe(true)
        last = { rank, to }
        for (let position = from; position < to; position++) found.set(`${chrom}:${position}`, row)
      }
      expect(new Map([...found].sort())).toEqual(new Map([...oracle(sites)].sort()))
    }),
  )
})

test('a track has the scores of the nearest windows, and its quantiles beside it', async () => {
  const sites = [site('a', 10), site('b', 57), site('b', 20), site('b', 2), site('b', 25), site('a', 10)]
  const scores = randomFloats(sites.length * LENGTH, 9)
  const path = join(folder, 'a.bw')
  const writer = new BigWigRowsWriter(
    path,
    { path: join(folder, 'genome', 'g.fa.gz'), sizes: SIZES },
    { provenance: '{"seed":"1"}' },
  )
  for (const [from, to] of [
    [0, 2],
    [2, 6],
  ] as const)
    await writer.write({
      length: LENGTH,
      oneHot: new Int8Array(),
      hypothetical: undefined,
      projected: scores.slice(from * LENGTH, to * LENGTH),
      sites: sites.slice(from, to),
    })
  await writer.finish()

  const expected = new Map(
    [...oracle(sites)].map(([position, row]) => {
      const offset = Number(position.split(':')[1]) - sites[row]!.start
      return [position, scores[row * LENGTH + offset]!]
    }),
  )
  const file = new BigWig({ path })
  const found = new Map<string, number>()
  for (const [chrom, size] of SIZES)
    for (const { start, score } of await file.getFeatures(chrom, 0, size))
      found.set(`${chrom}:${start}`, score!)
  expect(new Map([...found].sort())).toEqual(new Map([...expected].sort()))

  const beside = JSON.parse(await readFile(`${path}.json`, 'utf8'))
  const sorted = [...expected.values()].sort((x, y) => x - y)
  expect(beside.provenance).toEqual({ seed: '1' })
  expect(beside.scores).toMatchObject({
    positions: sorted.length,
    minimum: sorted[0],
    maximum: sorted.at(-1),
  })
  expect(Object.keys(beside.scores.quantiles)).toEqual([
    '0.001',
    '0.01',
    '0.5',
    '0.99',
    '0.999',
    '0.9995',
    '0.9999',
  ])
  expect(JSON.parse(await readFile(`${path}.igv.json`, 'utf8'))).toMatchObject({
    reference: {
      fastaURL: 'genome/g.fa.gz',
      indexURL: 'genome/g.fa.gz.fai',
      compressedIndexURL: 'genome/g.fa.gz.gzi',
    },
    locus: 'a:7-14',
    tracks: [{ type: 'wig', format: 'bigWig', graphType: 'dynseq', url: 'a.bw' }],
  })
  expect(writer.paths).toEqual([path, `${path}.json`, `${path}.igv.json`])
  expect((await readdir(folder)).sort()).toEqual(['a.bw', 'a.bw.igv.json', 'a.bw.json'])
})

test('a chromosome that the genome does not have is refused, and nothing is left', async () => {
  const before = await readdir(folder)
  const writer = new BigWigRowsWriter(
    join(folder, 'b.bw'),
    { path: 'g.2bit', sizes: SIZES },
    { provenance: '{}' },
  )
  const rows = {
    length: LENGTH,
    oneHot: new Int8Array(),
    hypothetical: undefined,
    projected: new Float32Array(LENGTH),
  }
  await expectError(
    () => writer.write({ ...rows, sites: [site('c', 9)] }),
    'INVALID_INPUT',
    'no chromosome c',
  )
  await writer.abort()
  expect(await readdir(folder)).toEqual(before)
})
