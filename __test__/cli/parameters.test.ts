import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parameterSchema } from '../../src/cli/parameters.js'
import { createProgram } from '../../src/cli/program.js'
import { runCli } from '../support/cli.js'
import { fastaOf } from '../support/genome.js'
import { randomCodes, sequenceModel } from '../support/models.js'

const LENGTH = 40

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-parameters-'))
  const genome = Array.from(randomCodes(2000, 1), (code) => 'ACGT'[code]).join('')
  await writeFile(at('g.fa'), fastaOf({ chr1: genome }, 50))
  await writeFile(at('p.bed'), 'chr1\t100\t200\nchr1\t5\t7\nchr1\t400\t500\n')
  await writeFile(at('s.fa'), fastaOf({ a: genome.slice(0, LENGTH), b: genome.slice(7, 7 + LENGTH) }, 50))
  await writeFile(at('model.onnx'), sequenceModel(LENGTH))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

const at = (name: string) => join(folder, name)
const command = (name: string) => createProgram().commands.find((each) => each.name() === name)!

async function deeplift(args: string[], code = 0) {
  const finished = await runCli(args, { cwd: folder })
  expect(finished.code, finished.stderr).toBe(code)
  return finished
}

async function parameters(name: string, value: unknown): Promise<string> {
  await writeFile(at(name), typeof value === 'string' ? value : JSON.stringify(value))
  return name
}

const SCORE = { model: 'model.onnx', target: 1, reference: 'dinuc-shuffle:2' }

describe('parameters', () => {
  test.each([
    ['regions', { bed: 'p.bed', genome: 'g.fa', edges: 'pad', seed: 5, reverseComplement: true }],
    ['sequences', { fasta: 's.fa', hypothetical: true, override: ['*=rescale'], peel: false }],
  ])('of %s: from flags, from a file, and from what was written beside results', async (name, more) => {
    const flags = Object.entries({ ...SCORE, ...more }).flatMap(([key, value]) => {
      if (key === 'model') return [value as string]
      const flag = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
      if (typeof value === 'boolean') return [value ? `--${flag}` : `--no-${flag}`]
      return [value].flat().flatMap((each) => [`--${flag}`, String(each)])
    })
    await deeplift(['score', ...flags, '--out', `${name}1.npz`])
    const file = await parameters(`${name}.json`, { ...SCORE, ...more, out: `${name}2.npz` })
    await deeplift(['score', '--params', file])
    await deeplift(['score', '--params', `${name}2.params.json`, '--out', `${name}3.npz`])
    const bytes = await readFile(at(`${name}1.npz`))
    for (const index of [2, 3]) expect(bytes.equals(await readFile(at(`${name}${index}.npz`)))).toBe(true)
    const [first, second] = await Promise.all(
      [2, 3].map(async (index) => JSON.parse(await readFile(at(`${name}${index}.params.json`), 'utf8'))),
    )
    expect(second).toEqual({ ...first, out: `${name}3.npz` })
    // Defaults are written out.
    expect(first).toMatchObject({ precision: 'float32', unknown: 'symbol' })
  })

  test('on the command line go before those of the file', async () => {
    const file = await parameters('over.json', {
      ...SCORE,
      fasta: 's.fa',
      seed: 1,
      out: 'over.npz',
      threads: 1,
    })
    await deeplift(['score', at('model.onnx'), '--params', file, '--seed', '2'])
    expect(JSON.parse(await readFile(at('over.params.json'), 'utf8'))).toMatchObject({
      model: at('model.onnx'),
      seed: '2',
    })
  })

  test.each([
    ['an unknown one', { ...SCORE, fastaa: 's.fa' }, 2, /wrong\.json: there is no option "fastaa".*"fasta"/],
    ['a wrong type', { ...SCORE, seed: true }, 2, /seed: expected a text or a number, found true/],
    ['a text for a flag', { ...SCORE, uracil: 'yes' }, 2, /uracil: expected true or false/],
    ['a wrong choice', { ...SCORE, edges: 'clip' }, 2, /edges: expected drop or pad/],
    ['no JSON', '{', 3, /wrong\.json is no JSON/],
    ['a list', [], 2, /expected an object/],
    ['no model', { fasta: 's.fa' }, 2, /name the model/],
  ])('that are wrong are refused: %s', async (_, value, code, message) => {
    const file = await parameters('wrong.json', value)
    const { stderr } = await deeplift(['score', '--params', file, '--out', 'wrong.npz'], code)
    expect(stderr).toMatch(message)
    expect(stderr).not.toContain('    at ')
  })

  test('in a file that does not exist', async () => {
    const { stderr } = await deeplift(['score', '--params', 'none.json'], 3)
    expect(stderr).toContain('none.json does not exist')
  })
})

describe('of commands on files of scores', () => {
  const npz = 'scores.npz'
  beforeAll(async () => {
    const scoring = ['--fasta', 's.fa', '--target', '1', '--reference', 'dinuc-shuffle:2', '--hypothetical']
    await deeplift(['score', 'model.onnx', ...scoring, '--out', npz])
  })

  test.each([
    ['convert', { in: npz, out: 'converted1.h5', format: 'chrombpnet', float16: true }, 'out'],
    ['seqlets', { scores: npz, out: 'seqlets1.bed', threshold: 0.3, sign: 'both' }, 'out'],
    ['shuffle', { scores: npz, out: 'shuffled1.fa', count: 2, seed: 3 }, 'out'],
    ['report', { scores: npz, out: 'page1.html', title: 'A page', igv: false }, 'out'],
  ] as const)('%s: from flags, from a file, and from what was written', async (name, given, key) => {
    const outs = [1, 2, 3].map((index) => given.out.replace('1', `${index}`))
    const schema = parameterSchema(command(name)) as { properties: Record<string, object> }
    const positional = command(name).registeredArguments.map((each) => each.name())
    const flags = Object.entries(given).flatMap(([option, value]) => {
      if (positional.includes(option)) return []
      return typeof value === 'boolean'
        ? [value ? `--${option}` : `--no-${option}`]
        : [`--${option}`, `${value}`]
    })
    const args = positional.map((each) => given[each as keyof typeof given] as string)
    await deeplift([name, ...args, ...flags])
    const file = await parameters(`${name}.json`, { ...given, [key]: outs[1] })
    await deeplift([name, '--params', file])
    const written = JSON.parse(await readFile(at(`${outs[1]}.params.json`), 'utf8'))
    for (const parameter of Object.keys(written)) expect(Object.keys(schema.properties)).toContain(parameter)
    await deeplift([name, '--params', await parameters('again.json', { ...written, [key]: outs[2] })])
    const [first, ...others] = await Promise.all(outs.map((out) => readFile(at(out))))
    for (const other of others) expect(other.equals(first!)).toBe(true)
    await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot(
      `../../schemas/${name}.schema.json`,
    )
  })

  test('without a result or scores', async () => {
    expect((await deeplift(['seqlets', npz], 2)).stderr).toMatch(/give --out <file>/)
    expect((await deeplift(['report', '--out', 'p.html'], 2)).stderr).toMatch(/name the scores/)
  })
})

describe('the schema', () => {
  test('is the published one, and that of plan is the same for each command', async () => {
    const schema = parameterSchema(command('score'))
    await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot(
      '../../schemas/score.schema.json',
    )
    for (const planned of command('plan').commands)
      expect(parameterSchema(planned)).toEqual(parameterSchema(command(planned.name())))
  })

  test('knows every parameter that is written', async () => {
    const { properties } = parameterSchema(command('score')) as { properties: Record<string, object> }
    const ofScore = /^[a-z0-9]+\.params\.json$/
    const written = (await readdir(folder)).filter((name) => ofScore.test(name))
    expect(written.length).toBeGreaterThan(4)
    for (const name of written)
      for (const key of Object.keys(JSON.parse(await readFile(at(name), 'utf8'))))
        expect(Object.keys(properties), name).toContain(key)
  })
})

describe('progress', () => {
  test('as lines of JSON, with counts of what is left out', async () => {
    const { stderr } = await deeplift([
      ...['score', 'model.onnx', '--bed', 'p.bed', '--genome', 'g.fa', '--target', '0'],
      ...['--reference', 'zeros', '--out', 'progress.npz', '--progress', 'json'],
    ])
    const lines = stderr.split('\n').filter((line) => line.startsWith('{'))
    expect(JSON.parse(lines.at(-1)!)).toEqual({
      progress: {
        done: 2,
        total: 2,
        perSecond: expect.any(Number),
        etaSeconds: 0,
        worstCompleteness: expect.any(Number),
        dropped: { edge: 1, outside: 0 },
      },
    })
  })

  test('none', async () => {
    const args = [
      'score',
      'model.onnx',
      '--fasta',
      's.fa',
      '--target',
      '0',
      '--reference',
      'zeros',
      '--out',
      'q.npz',
    ]
    expect((await deeplift([...args, '--progress', 'none'])).stderr).toBe('')
  })
})
