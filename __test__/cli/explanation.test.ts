import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DeepLift, type NpyArray, readNpz, writeNpy } from '../../src/index.js'
import { type Finished, runCli } from '../support/cli.js'
import { profileModel, randomCodes, randomFloats } from '../support/models.js'

const LENGTH = 40
const POSITIONS = LENGTH - 8
const EXAMPLES = 3
const codes = randomCodes(EXAMPLES * LENGTH, 3)
const control = randomFloats(EXAMPLES * 2 * POSITIONS, 4)
const inputs = {
  sequence: { data: codes, shape: [EXAMPLES, LENGTH] },
  control: { data: control, shape: [EXAMPLES, 2, POSITIONS] },
}
const references = { sequence: 'background', control: 'self' } as const

let folder: string
let model: DeepLift
const at = (name: string) => join(folder, name)
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-explanation-'))
  await writeFile(at('bpnet.onnx'), profileModel(LENGTH))
  const letters = Array.from(codes, (code) => 'ACGT'[code])
  const records = Array.from({ length: EXAMPLES }, (_, row) =>
    letters.slice(row * LENGTH, (row + 1) * LENGTH).join(''),
  )
  await writeFile(at('s.fa'), records.map((record, row) => `>s${row}\n${record}\n`).join(''))
  await writeNpy(at('codes.npy'), { dtype: 'uint8', shape: [EXAMPLES, LENGTH], data: codes })
  await writeNpy(at('control.npy'), { dtype: 'float32', shape: [EXAMPLES, 2, POSITIONS], data: control })
  const few = control.subarray(0, 4 * POSITIONS)
  await writeNpy(at('few.npy'), { dtype: 'float32', shape: [2, 2, POSITIONS], data: few })
  model = await DeepLift.load(at('bpnet.onnx'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

const INPUTS = () => ['--fasta', at('s.fa'), '--input', `control=${at('control.npy')}`]
const REFERENCES = ['--reference', 'background', '--reference', 'control=self']

async function score(...args: string[]): Promise<Finished> {
  return await runCli(['score', at('bpnet.onnx'), '--threads', '2', ...args])
}

async function archive(...args: string[]): Promise<Record<string, NpyArray>> {
  const { code, stderr } = await score(...INPUTS(), ...REFERENCES, '--out', at('scores.npz'), ...args)
  expect(code, stderr).toBe(0)
  return await readNpz(at('scores.npz'))
}

const floats = (array: NpyArray | undefined) => [...(array!.data as Float32Array)]

describe('several inputs', () => {
  test('come from FASTA and arrays, in any combination', async () => {
    const expected = await model.score(inputs, { references, target: { head: 'counts' } })
    const found = await archive('--head', 'counts')
    expect(floats(found['contributions.sequence'])).toEqual([...expected.contributions.sequence!.data])
    expect(floats(found.delta)).toEqual([...expected.delta.data])
    const rest = [...REFERENCES, '--head', 'counts', '--out', at('arrays.npz')]
    const arrays = ['--input', `sequence=${at('codes.npy')}`, '--input', `control=${at('control.npy')}`]
    const named = ['--fasta', `sequence=${at('s.fa')}`, '--input', `control=${at('control.npy')}`]
    for (const sources of [arrays, named]) {
      const { code, stderr } = await score(...sources, ...rest)
      expect(code, stderr).toBe(0)
      expect(floats((await readNpz(at('arrays.npz')))['contributions.sequence'])).toEqual(
        floats(found['contributions.sequence']),
      )
    }
  })

  const wrong: [string, () => string[], ...(string | RegExp)[]][] = [
    ['an input that is missing', () => ['--fasta', at('s.fa'), ...REFERENCES], '--input NAME=FILE.npy'],
    [
      'an input that is given twice',
      () => [...INPUTS(), '--input', `sequence=${at('codes.npy')}`, ...REFERENCES],
      'both as --fasta and as --input',
    ],
    ['an input without a reference', () => [...INPUTS(), '--reference', 'sequence=zeros'], 'control=self'],
    [
      'two references for all',
      () => [...INPUTS(), '--reference', 'zeros', '--reference', 'self'],
      'twice without the name',
    ],
  ]
  test.each(wrong)('%s is named', async (_, args, ...patterns) => {
    const { code, stderr } = await score(...args(), '--head', 'counts', '--out', at('wrong.npz'))
    for (const pattern of patterns) expect(stderr).toMatch(pattern)
    expect(code).toBe(2)
  })

  test('have as many rows as there are sequences', async () => {
    const args = [
      '--fasta',
      at('s.fa'),
      '--input',
      `control=${at('few.npy')}`,
      ...REFERENCES,
      '--head',
      'counts',
    ]
    const { code, stderr } = await score(...args, '--out', at('wrong.npz'))
    expect(stderr).toMatch(/few\.npy has 2 rows/)
    expect(code).toBe(3)
    expect((await readdir(folder)).filter((name) => name.startsWith('wrong'))).toEqual([])
  })
})

describe('what is explained', () => {
  test('heads, sums and contrasts, as in the library', async () => {
    const found = await archive(
      ...[
        '--head',
        'profile:input',
        '--target',
        'profile:*,3..6',
        '--target',
        'profile:0,3-1,3',
        '--head',
        'counts',
      ],
    )
    const expected = await model.score(inputs, {
      references,
      target: [
        { output: 'profile', index: [null, [3, 6]] },
        { output: 'profile', index: [0, 3], minus: [1, 3] },
        { head: 'profile', weights: 'input' },
        { head: 'counts' },
      ],
    })
    expect(found['contributions.sequence']!.shape).toEqual([EXAMPLES, 4, 4, LENGTH])
    expect(floats(found['contributions.sequence'])).toEqual([...expected.contributions.sequence!.data])
    expect(floats(found.delta)).toEqual([...expected.delta.data])
  })

  test('layers, under their names', async () => {
    const found = await archive('--head', 'counts', '--layer', 'h')
    expect(found.contributions!.shape).toEqual([EXAMPLES, 6, LENGTH - 4])
    const two = await archive('--head', 'counts', '--layer', 'h', '--layer', 'f')
    expect(Object.keys(two).filter((key) => key.startsWith('contributions'))).toEqual([
      'contributions.h',
      'contributions.f',
    ])
  })

  test('rules, variants and switches reach the plan', async () => {
    const settings = async (...args: string[]) => {
      const { stdout, stderr, code } = await score(
        ...INPUTS(),
        ...[
          '--reference',
          'background',
          '--reference',
          'control=self',
          '--out',
          at('settings.npz'),
          '--json',
        ],
        ...args,
      )
      expect(code, stderr).toBe(0)
      return (JSON.parse(stdout) as { settings: object }).settings
    }
    const head = ['--head', 'counts']
    expect(
      await settings(...head, '--rule', 'integrated-gradients:3', '--no-peel', '--reverse-complement'),
    ).toMatchObject({
      target: { head: 'counts' },
      rule: { default: 'integrated-gradients', steps: 3 },
      peel: false,
      reverseComplement: true,
    })
    const variants = [
      '--max-pool',
      'path',
      '--binary-max',
      'cross',
      '--softmax',
      'elementwise',
      '--near-zero',
      'shap',
    ]
    expect(await settings(...head, ...variants, '--mean-normalised')).toMatchObject({
      variants: { maxPool: 'path', binaryMax: 'cross', softmax: 'elementwise', nearZero: 'shap' },
      meanNormalised: true,
    })
    const strands = ['--target', 'profile:0,5', '--reverse-target', `profile:1,${POSITIONS - 6}`]
    expect(await settings(...strands)).toMatchObject({
      reverseComplement: { target: { output: 'profile', index: [1, POSITIONS - 6] } },
    })
  })
})

describe('--trace-completeness', () => {
  test('prints the nodes, worst first', async () => {
    const { code, stdout, stderr } = await score(
      ...INPUTS(),
      ...REFERENCES,
      '--head',
      'counts',
      '--trace-completeness',
    )
    expect(code, stderr).toBe(0)
    expect(stdout).toMatch(/^ *relative +residual +node +op +rule\n/)
    expect(stdout).toMatch(/ Relu +rescale/)
  })

  test('prints all of them as JSON', async () => {
    const args = [...INPUTS(), ...REFERENCES, '--head', 'counts', '--trace-completeness', '--json']
    const { nodes } = JSON.parse((await score(...args)).stdout) as { nodes: { relative: number }[] }
    expect(nodes.length).toBeGreaterThan(3)
    expect(nodes).toEqual([...nodes].sort((a, b) => b.relative - a.relative))
    for (const { relative } of nodes) expect(relative).toBeLessThan(1e-5)
  })

  test('writes nothing', async () => {
    const both = await score(
      ...INPUTS(),
      ...REFERENCES,
      '--head',
      'counts',
      '--trace-completeness',
      '--out',
      'x.npz',
    )
    expect(both.code).toBe(2)
    expect(both.stderr).toContain('leave out --out')
  })
})

test('inspect --plan shows the target, layers and rules that are asked for', async () => {
  const args = ['--head', 'counts', '--layer', 'h', '--rule', 'guided-backprop', '--json', '--plan']
  const { code, stdout, stderr } = await runCli(['inspect', at('bpnet.onnx'), ...args])
  expect(code, stderr).toBe(0)
  const { plan } = JSON.parse(stdout) as { plan: { targets: object[]; scored: object[]; rule: string } }
  expect(plan.targets).toMatchObject([{ tensor: 'counts' }])
  expect(plan.scored).toMatchObject([{ name: 'h' }])
  expect(plan.rule).toBe('guided-backprop')
})
