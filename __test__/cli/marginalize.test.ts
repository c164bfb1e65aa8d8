import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parameterSchema } from '../../src/cli/parameters.js'
import { createProgram } from '../../src/cli/program.js'
import { randomSequence } from '../../src/genomics/random-sequence.js'
import { DeepLift, dinucleotideShuffle, type NpyArray, readNpz, shuffledSequences } from '../../src/index.js'
import { type Finished, runCli } from '../support/cli.js'
import { fastaOf } from '../support/genome.js'
import { DEMO_MODEL, profileModel, randomCodes, sequenceModel } from '../support/models.js'
import { sum } from '../support/numbers.js'

const LENGTH = 40
const COUNT = 4
const BACKGROUNDS = Array.from({ length: COUNT }, (_, index) => randomCodes(LENGTH, 30 + index))
const letters = (codes: Iterable<number>) => Array.from(codes, (code) => 'ACGT'[code]).join('')
const MOTIFS = { GATAAG: 'GATAAG', gap: 'CAnnTG' }
const ARGUMENTS = ['--motif', 'GATAAG', '--motif', 'gap=CAnnTG']

let folder: string
let model: DeepLift
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-marginalize-'))
  await writeFile(at('model.onnx'), sequenceModel(LENGTH))
  await writeFile(at('heads.onnx'), profileModel(LENGTH))
  const records = Object.fromEntries(BACKGROUNDS.map((codes, index) => [`b${index}`, letters(codes)]))
  await writeFile(at('b.fa'), fastaOf(records, 60))
  model = await DeepLift.load(at('model.onnx'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

const at = (name: string) => join(folder, name)
const numbers = (array: NpyArray | undefined) => [...(array!.data as Float64Array)]

async function marginalize(args: string[], path = at('model.onnx'), code = 0): Promise<Finished> {
  const finished = await runCli(['marginalize', path, ...args])
  expect(finished.code, finished.stderr).toBe(code)
  return finished
}

async function table(name: string): Promise<Record<string, string>[]> {
  const [header, ...rows] = (await readFile(at(name), 'utf8')).trimEnd().split('\n')
  const names = header!.split('\t')
  return rows.map((row) => Object.fromEntries(row.split('\t').map((cell, index) => [names[index]!, cell])))
}

/** The letters with those of a motif in their place; n leaves what is there. */
function put(codes: Uint8Array, motif: string, position: number): Uint8Array {
  const text = [...letters(codes)]
  for (const [index, base] of [...motif].entries()) if (base !== 'n') text[position + index] = base
  return Uint8Array.from(text, (base) => 'ACGT'.indexOf(base))
}

const reverseComplement = (codes: Uint8Array) =>
  codes
    .slice()
    .reverse()
    .map((code) => 3 - code)

/** Output 1 over both strands. */
async function predicted(codes: Uint8Array): Promise<number> {
  const value = async (data: Uint8Array) =>
    (await model.predict({ x: { data, shape: [1, LENGTH] } })).y!.data[1]!
  return ((await value(codes)) + (await value(reverseComplement(codes)))) / 2
}

const mean = (values: readonly number[]) => sum(values) / values.length
const deviation = (values: readonly number[]) =>
  Math.sqrt(sum(values.map((value) => (value - mean(values)) ** 2)) / (values.length - 1))

async function checkTable(name: string, backgrounds: readonly Uint8Array[], position: number): Promise<void> {
  const rows = await table(`${name}.tsv`)
  const archive = await readNpz(at(`${name}.npz`))
  const before = await Promise.all(backgrounds.map(predicted))
  expect(numbers(archive.background_pred)).toEqual(before)
  expect(archive.diff!.shape).toEqual([backgrounds.length, 2])
  expect(archive.motifs!.data).toEqual(Object.keys(MOTIFS))
  for (const [index, [motif, text]] of Object.entries(MOTIFS).entries()) {
    const after = await Promise.all(backgrounds.map((codes) => predicted(put(codes, text, position))))
    const change = after.map((value, background) => value - before[background]!)
    const column = (key: string) => numbers(archive[key]).filter((_, at) => at % 2 === index)
    expect(column('pred')).toEqual(after)
    expect(column('diff')).toEqual(change)
    expect(rows[index]).toMatchObject({
      motif,
      sequence: text.toUpperCase(),
      position: String(position),
      backgrounds: String(backgrounds.length),
    })
    expect(Number(rows[index]!.background_pred)).toBeCloseTo(mean(before), 12)
    expect(Number(rows[index]!.pred)).toBeCloseTo(mean(after), 12)
    expect(Number(rows[index]!.diff)).toBeCloseTo(mean(change), 12)
    expect(Number(rows[index]!.diff_sd)).toBeCloseTo(deviation(change), 12)
  }
}

describe('motifs in backgrounds', () => {
  test('of a file: predictions with and without, mean and deviation', async () => {
    const args = [...ARGUMENTS, '--background', at('b.fa'), '--target', '1', '--out', at('a.tsv'), '--json']
    const { stdout } = await marginalize(args)
    await checkTable('a', BACKGROUNDS, LENGTH / 2 - 3)
    expect((await readNpz(at('a.npz'))).backgrounds!.data).toEqual(['b0', 'b1', 'b2', 'b3'])
    expect(JSON.parse(stdout)).toMatchObject({
      motifs: 2,
      backgrounds: COUNT,
      files: [at('a.tsv'), at('a.npz')],
      parameters: at('a.params.json'),
    })
  })

  test('of shuffles, at another position', async () => {
    const args = ['--background', at('b.fa'), '--shuffles', '2', '--seed', '5', '--position', '34']
    await marginalize([...ARGUMENTS, ...args, '--target', '1', '--out', at('b.tsv')])
    const shuffle = dinucleotideShuffle({ count: 2, seed: 5 })
    const backgrounds = BACKGROUNDS.flatMap((codes, number) => {
      const { data } = shuffledSequences(codes, shuffle, Number.MAX_SAFE_INTEGER - number)
      return [data.slice(0, LENGTH), data.slice(LENGTH)]
    })
    const pairs = (codes: Uint8Array) =>
      Array.from({ length: LENGTH - 1 }, (_, index) => letters(codes.subarray(index, index + 2))).sort()
    for (const [index, codes] of backgrounds.entries())
      expect(pairs(codes)).toEqual(pairs(BACKGROUNDS[index >> 1]!))
    await checkTable('b', backgrounds, 34)
  })

  test('that are random, the same in any batches', async () => {
    const args = ['--random', '3', '--composition', '.1,.4,.4,.1', '--seed', '9', '--target', '1']
    await marginalize([...ARGUMENTS, ...args, '--out', at('c.tsv')])
    const composition = [0.1, 0.4, 0.4, 0.1] as const
    const backgrounds = [0, 1, 2].map((number) => randomSequence(9, number, LENGTH, composition))
    await checkTable('c', backgrounds, LENGTH / 2 - 3)
    await marginalize([...ARGUMENTS, ...args, '--batch', '1', '--threads', '1', '--out', at('c2.tsv')])
    expect(await readFile(at('c2.tsv'))).toEqual(await readFile(at('c.tsv')))
  })

  test('through the heads of BPNet', async () => {
    const args = [
      '--background',
      at('b.fa'),
      '--input',
      'control=zeros',
      '--head',
      'counts',
      '--head',
      'profile',
    ]
    await marginalize([...ARGUMENTS, ...args, '--out', at('h.tsv')], at('heads.onnx'))
    const [row] = await table('h.tsv')
    expect(Object.keys(row!).slice(4)).toEqual([
      ...['background_pred_counts', 'pred_counts', 'logfc', 'logfc_sd', 'jsd', 'jsd_sd'],
    ])
    const archive = await readNpz(at('h.npz'))
    const [before, after] = [numbers(archive.background_pred_counts), numbers(archive.pred_counts)]
    expect(numbers(archive.logfc)).toEqual(
      after.map((value, index) => Math.log2(value / before[index >> 1]!)),
    )
    for (const distance of numbers(archive.jsd)) expect(distance).toBeGreaterThan(0)
  })

  test('with scores, against shuffles of the background', async () => {
    const score = ['--contributions', '--reference', 'dinuc-shuffle:3', '--seed', '7', '--forward-only']
    const args = [...ARGUMENTS, '--background', at('b.fa'), '--target', '1', ...score]
    await marginalize([...args, '--out', at('s.tsv')])
    const archive = await readNpz(at('s.scores.npz'))
    const all = BACKGROUNDS.flatMap((codes) => Object.values(MOTIFS).map((text) => put(codes, text, 17)))
    const data = Uint8Array.from(all.flatMap((codes) => [...codes]))
    expect(archive.sequences!.data).toEqual(data)
    expect((archive.names!.data as string[]).slice(0, 3)).toEqual(['b0:GATAAG', 'b0:gap', 'b1:GATAAG'])
    const shuffle = dinucleotideShuffle({ count: 3, seed: 7 })
    const shuffles = BACKGROUNDS.flatMap((codes, number) => {
      const own = [...shuffledSequences(codes, shuffle, number).data]
      return [...own, ...own]
    })
    const scores = await model.score(
      { x: { data, shape: [all.length, LENGTH] } },
      {
        target: 1,
        references: { perExample: { data: Uint8Array.from(shuffles), shape: [all.length, 3, LENGTH] } },
      },
    )
    expect([...(archive.contributions!.data as Float32Array)]).toEqual([...scores.contributions.x!.data])
  })

  test('raise the outputs of the demo that were trained on them', async () => {
    const motifs = ['--motif', 'gata=GATAAG', '--motif', 'none=CCCCCC']
    await marginalize(
      [...motifs, '--random', '30', '--target', 'logits:0', '--out', at('demo.tsv')],
      DEMO_MODEL,
    )
    const [gata, none] = await table('demo.tsv')
    expect(Number(gata!.diff)).toBeGreaterThan(3 * Math.abs(Number(none!.diff)))
  })
})

describe('what goes wrong', () => {
  const RANDOM = ['--random', '2']
  const MOTIF = ['--motif', 'GATA']
  const cases: [string, string[], number, RegExp][] = [
    ['no motif', RANDOM, 2, /--motif LETTERS or as --motifs FILE/],
    [
      'letters of no motif',
      [...RANDOM, '--motif', 'GAXA'],
      2,
      /expected letters A, C, G, T or N, found "GAXA"/,
    ],
    ['no background', MOTIF, 2, /--background FILE\.fa or as --random/],
    [
      'two backgrounds',
      [...MOTIF, ...RANDOM, '--background', 'b.fa'],
      2,
      /--background FILE\.fa or as --random/,
    ],
    [
      'shuffles of nothing',
      [...MOTIF, ...RANDOM, '--shuffles', '2'],
      2,
      /--shuffles belongs to --background/,
    ],
    [
      'a composition that is none',
      [...MOTIF, ...RANDOM, '--composition', '1,1,0,0'],
      2,
      /sum to 1; found "1,1,0,0"/,
    ],
    [
      'a motif over the end',
      [...MOTIF, ...RANDOM, '--position', '37'],
      2,
      /4 bases, which do not fit at position 37 of 40/,
    ],
    ['a motif that is too long', [...RANDOM, '--motif', 'A'.repeat(41)], 2, /do not fit/],
    ['a missing file', [...MOTIF, '--background', 'no.fa'], 3, /no\.fa does not exist/],
  ]
  test.each(cases)('%s', async (_, args, code, message) => {
    const { stderr } = await marginalize(
      [...args, '--target', '0', '--out', at('wrong.tsv')],
      at('model.onnx'),
      code,
    )
    expect(stderr).toMatch(message)
    expect(stderr).not.toContain('    at ')
    expect((await readdir(folder)).filter((name) => name.startsWith('wrong'))).toEqual([])
  })

  test('backgrounds of another length, and none at all', async () => {
    await writeFile(at('short.fa'), '>s\nACGT\n')
    const args = [...MOTIF, '--target', '0', '--out', at('wrong.tsv')]
    const short = await marginalize([...args, '--background', at('short.fa')], at('model.onnx'), 3)
    expect(short.stderr).toMatch(/short\.fa.*40/)
    await writeFile(at('empty.fa'), '')
    const empty = await marginalize([...args, '--background', at('empty.fa')], at('model.onnx'), 3)
    expect(empty.stderr).toMatch(/no backgrounds to put GATA into|empty/)
    expect((await readdir(folder)).filter((name) => name.startsWith('wrong'))).toEqual([])
  })
})

describe('parameters', () => {
  test('are written beside results, and give them again', async () => {
    await marginalize([...ARGUMENTS, '--random', '3', '--seed', '4', '--target', '1', '--out', at('p1.tsv')])
    const { code, stderr } = await runCli([
      'marginalize',
      '--params',
      at('p1.params.json'),
      '--out',
      at('p2.tsv'),
    ])
    expect(code, stderr).toBe(0)
    expect(await readFile(at('p2.tsv'))).toEqual(await readFile(at('p1.tsv')))
  })

  test('have a schema, which is published', async () => {
    const command = createProgram().commands.find((each) => each.name() === 'marginalize')!
    const schema = parameterSchema(command) as { properties: Record<string, object> }
    await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot(
      '../../schemas/marginalize.schema.json',
    )
    const written = JSON.parse(await readFile(at('p1.params.json'), 'utf8'))
    for (const key of Object.keys(written)) expect(Object.keys(schema.properties)).toContain(key)
  })
})
