/** Regions of a genome scored into the formats that say where they lie. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openScoreFile } from '../../src/formats/score-file.js'
import { runCli } from '../support/cli.js'
import { fastaOf } from '../support/genome.js'
import { randomCodes, sequenceModel } from '../support/models.js'

const LENGTH = 40
const CENTRES = [300, 120, 130, 15, 700]

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-tracks-'))
  const genome = Array.from(randomCodes(1000, 3), (code) => 'ACGT'[code]).join('')
  await writeFile(at('m.onnx'), sequenceModel(LENGTH))
  await writeFile(at('g.fa'), fastaOf({ chr1: genome }, 60))
  await writeFile(at('p.bed'), CENTRES.map((centre) => `chr1\t${centre - 5}\t${centre + 5}\n`).join(''))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})
const at = (name: string) => join(folder, name)

async function succeed(...args: string[]): Promise<void> {
  const { code, stderr } = await runCli(args)
  expect(code, stderr).toBe(0)
}

async function score(out: string, ...args: string[]): Promise<void> {
  const regions = [
    '--bed',
    at('p.bed'),
    '--genome',
    at('g.fa'),
    '--target',
    '1',
    '--reference',
    'dinuc-shuffle:3',
  ]
  await succeed('score', at('m.onnx'), ...regions, '--out', at(out), '--quiet', ...args)
}

test('a track is the same from score, in blocks of any size, and from convert', async () => {
  await score('all.bw')
  await score('blocks.bw', '--block', '1')
  await score('plain.npz')
  await succeed(
    'convert',
    at('plain.npz'),
    at('later.bw'),
    '--bed',
    at('plain.regions.bed'),
    '--genome',
    at('g.fa'),
  )
  const track = await readFile(at('all.bw'))
  for (const name of ['blocks.bw', 'later.bw'])
    expect((await readFile(at(name))).equals(track), name).toBe(true)
  const beside = await Promise.all(
    ['all', 'blocks', 'later'].map((name) => readFile(at(`${name}.bw.json`), 'utf8')),
  )
  expect(new Set(beside).size).toBe(1)
  // The window around 15 reaches over the edge and is left out; 120 and 130 overlap by 30.
  expect(JSON.parse(beside[0]!).scores.positions).toBe(4 * LENGTH - 30)
})

test('the layout of BPNet tells where the windows lie', async () => {
  await score('s.h5', '--format', 'bpnet')
  const file = await openScoreFile(at('s.h5'))
  expect(file.sites).toEqual(
    [300, 120, 130, 700].map((summit) => ({ chrom: 'chr1', start: summit - 20, end: summit + 20, summit })),
  )
  await file.close()
})
