import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DeepLift, dinucleotideShuffle, type NpyArray, readNpy, readNpz, writeNpy } from '../../src/index.js'
import { type Finished, type RunOptions, runCli } from '../support/cli.js'
import {
  channelsLastModel,
  DEMO_FASTA,
  DEMO_MODEL,
  oneHot,
  randomCodes,
  randomFloats,
  sequenceModel,
  twoInputModel,
} from '../support/models.js'

const LENGTH = 40
const EXAMPLES = 9
const codes = randomCodes(EXAMPLES * LENGTH, 5)
const values = oneHot(codes, LENGTH)
const letters = Array.from(codes, (code) => 'ACGT'[code]).join('')
const fasta = Array.from(
  { length: EXAMPLES },
  (_, index) => `>seq${index} a record\n${letters.slice(index * LENGTH, (index + 1) * LENGTH)}\n`,
).join('')

let folder: string
let model: DeepLift
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-cli-'))
  await writeFile(at('model.onnx'), sequenceModel(LENGTH))
  await writeFile(at('two.onnx'), twoInputModel())
  await writeFile(at('s.fa'), fasta)
  await writeFile(at('s.fa.gz'), gzipSync(fasta))
  await writeNpy(at('x.npy'), { dtype: 'float32', shape: [EXAMPLES, 4, LENGTH], data: values })
  await writeNpy(at('codes.npy'), { dtype: 'uint8', shape: [EXAMPLES, LENGTH], data: codes })
  model = await DeepLift.load(at('model.onnx'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

const at = (name: string) => join(folder, name)
const score = (args: string[], options?: RunOptions): Promise<Finished> =>
  runCli(['score', at('model.onnx'), '--threads', '2', ...args], options)
const BASIC = ['--target', '1', '--reference', 'zeros']

async function succeed(args: string[], options?: RunOptions): Promise<Finished> {
  const finished = await score(args, options)
  expect(finished.code, finished.stderr).toBe(0)
  return finished
}

const floats = (array: NpyArray | undefined) => [...(array!.data as Float32Array)]

describe('precision', () => {
  // A trained network, whose layers are wide enough to fill tiles.
  const run = async (precision: string, unit: string) => {
    await writeFile(at('one.fa'), `>one\n${letters.slice(0, 200)}\n`)
    const args = ['score', DEMO_MODEL, '--fasta', at('one.fa'), '--out', at('p.npy'), ...BASIC]
    const { code, stderr } = await runCli([...args, '--precision', precision], {
      env: { DEEPLIFT_AMX: unit },
    })
    expect(code, stderr).toBe(0)
    return { stderr, scores: floats(await readNpy(at('p.npy'))) }
  }

  test('of bf16 is float32 where nothing multiplies bf16, with a warning', async () => {
    const { scores } = await run('float32', 'off')
    const reduced = await run('bf16x3', 'off')
    expect(reduced.scores).toEqual(scores)
    expect(reduced.stderr).toContain('bf16x3 is computed in float32')
  })

  test('of bf16 has an error of its own, which three products make small', async () => {
    const { scores } = await run('float32', 'off')
    const largest = Math.max(...scores.map(Math.abs))
    const error = async (precision: string) => {
      const reduced = await run(precision, 'emulate')
      return Math.max(...reduced.scores.map((score, i) => Math.abs(score - scores[i]!))) / largest
    }
    const [one, three] = [await error('bf16'), await error('bf16x3')]
    expect(three).toBeGreaterThan(0)
    expect(three).toBeLessThan(1e-4)
    expect(one).toBeGreaterThan(10 * three)
    expect(one).toBeLessThan(0.1)
  })
})

describe('sequences', () => {
  test('give the scores of the library, in an archive with names', async () => {
    const out = at('a.npz')
    await succeed([
      ...[
        '--fasta',
        at('s.fa'),
        '--out',
        out,
        '--target',
        'y:2',
        '--target',
        '0',
        '--rule',
        'genomics-default',
      ],
      ...[
        '--reference',
        'dinuc-shuffle:6',
        '--seed',
        '4',
        '--hypothetical',
        '--multipliers',
        '--per-reference',
      ],
    ])
    const archive = await readNpz(out)
    expect(Object.keys(archive).sort()).toEqual(
      [
        'completeness',
        'contributions',
        'delta',
        'hypothetical',
        'multipliers',
        'names',
        'output',
        'per_reference',
        'provenance',
      ].concat('reference_output', 'sequences'),
    )
    const scores = await model.score(
      { x: { data: codes, shape: [EXAMPLES, LENGTH] } },
      {
        references: dinucleotideShuffle({ count: 6, seed: 4 }),
        target: [2, 0],
        rule: 'genomics-default',
        outputs: ['contributions', 'hypothetical', 'multipliers', 'perReference'],
      },
    )
    expect(archive.contributions!.shape).toEqual([EXAMPLES, 2, 4, LENGTH])
    expect(archive.contributions!.dtype).toBe('float32')
    expect(floats(archive.contributions)).toEqual([...scores.contributions.x!.data])
    expect(floats(archive.hypothetical)).toEqual([...scores.hypothetical.x!.data])
    expect(floats(archive.multipliers)).toEqual([...scores.multipliers.x!.data])
    expect(archive.per_reference!.shape).toEqual([EXAMPLES, 6, 2, 4, LENGTH])
    expect(floats(archive.output)).toEqual([...scores.output.data])
    expect(floats(archive.reference_output)).toEqual([...scores.referenceOutput.data])
    expect(floats(archive.delta)).toEqual([...scores.delta.data])
    expect(floats(archive.completeness)).toEqual([...scores.completeness.data])
    expect(archive.names!.data).toEqual(Array.from({ length: EXAMPLES }, (_, index) => `seq${index}`))
  })

  test('may be compressed, or come from stdin, in any batches: the bytes are the same', async () => {
    const basic = [...BASIC.slice(0, 2), '--reference', 'dinuc-shuffle:3']
    await succeed(['--fasta', at('s.fa'), '--out', at('b1.npz'), ...basic])
    await succeed(['--fasta', at('s.fa.gz'), '--out', at('b2.npz'), '--batch', '2', ...basic])
    await succeed(['--fasta', '-', '--out', at('b3.npz'), ...basic], { stdin: fasta })
    await succeed(['--fasta', at('s.fa'), '--out', at('b4.npz'), ...basic], {
      env: { UV_THREADPOOL_SIZE: '1' },
    })
    const first = await readFile(at('b1.npz'))
    for (const name of ['b2.npz', 'b3.npz', 'b4.npz'])
      expect(first.equals(await readFile(at(name))), name).toBe(true)
  })

  test('go into a .npy file of contributions', async () => {
    await succeed(['--fasta', at('s.fa'), '--out', at('c.npy'), ...BASIC])
    const { shape, data } = await readNpy(at('c.npy'))
    expect(shape).toEqual([EXAMPLES, 4, LENGTH])
    const inputs = { x: { data: codes, shape: [EXAMPLES, LENGTH] } }
    const scores = await model.score(inputs, { references: 'zeros', target: 1 })
    expect([...(data as Float32Array)]).toEqual([...scores.contributions.x!.data])
  })

  test('go into the two files that TF-MoDISco reads', async () => {
    const { stdout } = await succeed([
      '--fasta',
      at('s.fa'),
      '--out',
      at('m'),
      '--format',
      'modisco',
      ...BASIC,
      '--json',
    ])
    const summary = JSON.parse(stdout)
    expect(summary.files).toEqual([at('m.ohe.npz'), at('m.attr.npz')])
    expect(summary.settings).toMatchObject({
      references: ['zeros'],
      target: { index: 1 },
      precision: 'float32',
    })
    expect(summary.examples).toBe(EXAMPLES)
    const sequences = (await readNpz(at('m.ohe.npz'))).arr_0!
    expect([sequences.dtype, sequences.shape]).toEqual(['int8', [EXAMPLES, 4, LENGTH]])
    expect([...(sequences.data as Int8Array)]).toEqual([...values])
    const scores = (await readNpz(at('m.attr.npz'))).arr_0!
    const options = { references: 'zeros', target: 1, outputs: ['hypothetical'] } as const
    const expected = await model.score({ x: { data: codes, shape: [EXAMPLES, LENGTH] } }, options)
    expect(floats(scores)).toEqual([...expected.hypothetical.x!.data])
  })
})

describe('arrays', () => {
  test('of values, and of base codes, give the scores of sequences', async () => {
    await succeed(['--input', at('x.npy'), '--out', at('d1.npy'), ...BASIC])
    await succeed(['--input', `x=${at('codes.npy')}`, '--out', at('d2.npy'), ...BASIC])
    const [fromValues, fromCodes] = [await readNpy(at('d1.npy')), await readNpy(at('d2.npy'))]
    expect(fromValues).toEqual(fromCodes)
  })

  test.each([
    ['shared', [3, 4, LENGTH]],
    ['one', [4, LENGTH]],
    ['one per example', [EXAMPLES, 4, LENGTH]],
    ['several per example', [EXAMPLES, 2, 4, LENGTH]],
  ])('with references of a file: %s', async (name, shape) => {
    const data = randomFloats(
      shape.reduce((a, b) => a * b, 1),
      6,
    )
    const references = at(`references ${name}.npy`)
    await writeNpy(references, { dtype: 'float32', shape, data })
    const out = at(`e ${name}.npz`)
    await succeed([
      '--input',
      at('x.npy'),
      '--reference',
      `file:${references}`,
      '--target',
      '1',
      '--out',
      out,
    ])
    const inputs = { x: { data: values, shape: [EXAMPLES, 4, LENGTH] } }
    const scores = await model.score(inputs, { references: { data, shape }, target: 1 })
    const archive = await readNpz(out)
    expect(floats(archive.contributions)).toEqual([...scores.contributions.x!.data])
    expect(archive).not.toHaveProperty('names')
  })

  test('of bytes: one-hot inputs and references', async () => {
    const data = Int8Array.from(values)
    await writeNpy(at('bytes.npy'), { dtype: 'int8', shape: [EXAMPLES, 4, LENGTH], data })
    const one = Uint8Array.from(values.subarray(0, 4 * LENGTH))
    await writeNpy(at('one.npy'), { dtype: 'uint8', shape: [1, 4, LENGTH], data: one })
    await succeed([
      '--input',
      at('bytes.npy'),
      '--target',
      '1',
      '--reference',
      `file:${at('one.npy')}`,
      '--out',
      at('j.npz'),
    ])
    const scores = await model.score(
      { x: { data: values, shape: [EXAMPLES, 4, LENGTH] } },
      { references: { data: Float32Array.from(one), shape: [4, LENGTH] }, target: 1 },
    )
    expect(floats((await readNpz(at('j.npz'))).contributions)).toEqual([...scores.contributions.x!.data])
    // The first example is its own reference.
    expect(floats((await readNpz(at('j.npz'))).contributions).slice(0, 4 * LENGTH)).toEqual(
      new Array(4 * LENGTH).fill(0),
    )
  })

  test('with the letters last, in the layout of TF-MoDISco', async () => {
    await writeFile(at('last.onnx'), channelsLastModel(LENGTH))
    const args = ['--fasta', at('s.fa'), '--format', 'modisco', ...BASIC]
    const last = await runCli(['score', at('last.onnx'), ...args, '--out', at('last')])
    expect(last.code, last.stderr).toBe(0)
    await succeed([...args, '--out', at('first')])
    const letters = await Promise.all(
      ['last', 'first'].map((name) => readNpz(at(`${name}.ohe.npz`), ['arr_0'])),
    )
    expect(letters[0]).toEqual(letters[1])
    const [a, b] = [await readNpz(at('last.attr.npz')), await readNpz(at('first.attr.npz'))]
    for (const [index, value] of floats(a.arr_0).entries())
      expect(value).toBeCloseTo(floats(b.arr_0)[index]!, 5)
  })

  test('of two inputs, one held fixed', async () => {
    await writeNpy(at('a.npy'), { dtype: 'float32', shape: [2, 3], data: randomFloats(6, 1) })
    await writeNpy(at('b.npy'), {
      dtype: 'float64',
      shape: [2, 5],
      data: Float64Array.from(randomFloats(10, 2)),
    })
    const args = [
      '--input',
      `a=${at('a.npy')}`,
      '--input',
      `b=${at('b.npy')}`,
      '--target',
      'y:0',
      '--out',
      at('f.npz'),
    ]
    const two = await runCli([
      'score',
      at('two.onnx'),
      ...args,
      '--reference',
      'a=zeros',
      '--reference',
      'b=self',
    ])
    expect(two.code, two.stderr).toBe(0)
    const archive = await readNpz(at('f.npz'))
    expect(archive['contributions.a']!.shape).toEqual([2, 3])
    const none = await runCli([
      'score',
      at('two.onnx'),
      '--input',
      at('a.npy'),
      '--reference',
      'zeros',
      '--out',
      at('g.npz'),
    ])
    expect(none.code).toBe(2)
    expect(none.stderr).toContain('--input NAME=FILE.npy')
  })

  test('in float64, and of gradient × input', async () => {
    await succeed(['--input', at('x.npy'), '--precision', 'float64', '--out', at('h.npz'), ...BASIC])
    const archive = await readNpz(at('h.npz'))
    expect(archive.contributions!.dtype).toBe('float64')
    expect(Math.max(...floats(archive.completeness))).toBeLessThan(1e-12)
    await succeed([
      '--input',
      at('x.npy'),
      '--rule',
      'gradient',
      '--multiply-by',
      'input',
      '--target',
      '1',
      '--out',
      at('i.npy'),
    ])
    expect((await readNpy(at('i.npy'))).shape).toEqual([EXAMPLES, 4, LENGTH])
  })
})

describe('what goes wrong', () => {
  const out = () => ['--out', at('wrong.npz')]
  const cases: [string, () => string[], number, ...(string | RegExp)[]][] = [
    ['no examples', () => [...BASIC, ...out()], 2, '--fasta'],
    [
      'no reference',
      () => ['--fasta', at('s.fa'), '--target', '1', ...out()],
      2,
      '--reference dinuc-shuffle:20',
    ],
    [
      'an unknown reference',
      () => ['--fasta', at('s.fa'), '--reference', 'shuffle', ...out()],
      2,
      '"shuffle"',
    ],
    [
      'a wrong count',
      () => ['--fasta', at('s.fa'), '--reference', 'dinuc-shuffle:0', ...out()],
      2,
      'at least 1',
    ],
    ['no target', () => ['--fasta', at('s.fa'), '--reference', 'zeros', ...out()], 2, '"y" [batch, 3]'],
    ['an unknown option', () => ['--fsta', at('s.fa'), ...BASIC, ...out()], 2, '--fsta', '--fasta'],
    ['no place for the result', () => ['--fasta', at('s.fa'), ...BASIC], 2, '--out'],
    ['an unknown rule', () => ['--fasta', at('s.fa'), ...BASIC, '--rule', 'rescall', ...out()], 2, 'rescale'],
    ['a missing file', () => ['--fasta', at('none.fa'), ...BASIC, ...out()], 3, 'none.fa does not exist'],
    ['no FASTA', () => ['--fasta', at('x.npy'), ...BASIC, ...out()], 3, 'x.npy'],
    [
      'a missing folder',
      () => ['--fasta', at('s.fa'), ...BASIC, '--out', at('no/where.npz')],
      3,
      'where.npz',
    ],
    ['no .npy', () => ['--input', at('s.fa'), ...BASIC, ...out()], 3, 's.fa'],
  ]
  test.each(cases)('%s', async (_, args, code, ...patterns) => {
    const finished = await score(args())
    for (const pattern of patterns) expect(finished.stderr).toMatch(pattern)
    expect(finished.code).toBe(code)
    expect(finished.stderr).not.toContain('    at ')
    expect((await readdir(folder)).filter((name) => /wrong|tmp/.test(name))).toEqual([])
  })

  test('a record in the middle: it is named, and no file is left', async () => {
    await writeFile(at('bad.fa'), `${fasta}>odd\nACGTX\n`)
    const wrong = await score(['--fasta', at('bad.fa'), ...BASIC, ...out(), '--batch', '1'])
    expect(wrong.code).toBe(3)
    expect(wrong.stderr).toMatch(/bad\.fa.*"odd".*line 20.*column 5.*'X'/)
    await writeFile(at('short.fa'), `${fasta}>short\nACGT\n`)
    const short = await score(['--fasta', at('short.fa'), ...BASIC, ...out()])
    expect(short.code).toBe(3)
    expect(short.stderr).toMatch(/short\.fa: record "short" \(line 19\) has 4 bases; 40 are needed/)
    expect((await readdir(folder)).filter((name) => /wrong|tmp/.test(name))).toEqual([])
  })

  test('as JSON, for programs', async () => {
    const { stdout, code } = await score(['--fasta', at('none.fa'), ...BASIC, ...out(), '--json'])
    expect(code).toBe(3)
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'FILE_NOT_FOUND' } })
  })

  test('an interruption: exit code 130, nothing left behind', async () => {
    const big = at('big.fa')
    const text = await readFile(DEMO_FASTA, 'utf8')
    await writeFile(big, text.repeat(30))
    const target = at('interrupted.npz')
    const args = [
      'score',
      DEMO_MODEL,
      '--fasta',
      big,
      '--target',
      '0',
      '--reference',
      'dinuc-shuffle:20',
      '--out',
      target,
    ]
    const started = async () => (await readdir(folder)).some((name) => name.startsWith('interrupted'))
    const interrupt = (async () => {
      while (!(await started())) await new Promise((resolve) => setTimeout(resolve, 20))
    })()
    const { code, stderr } = await runCli(args, { interrupt })
    expect(stderr).toContain('aborted')
    expect(code).toBe(130)
    expect((await readdir(folder)).filter((name) => name.startsWith('interrupted'))).toEqual([])
  })
})
