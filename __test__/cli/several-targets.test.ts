/** Several targets: an axis of `.npz`, files of their own in formats that hold one. */

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { targetNames } from '../../src/cli/targets.js'
import { openScoreFile } from '../../src/formats/score-file.js'
import { type NpyArray, writeNpy } from '../../src/index.js'
import { runCli } from '../support/cli.js'
import { fastaOf } from '../support/genome.js'
import { profileModel, randomCodes, sequenceModel } from '../support/models.js'

const LENGTH = 40

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-targets-'))
  const genome = Array.from(randomCodes(1000, 3), (code) => 'ACGT'[code]).join('')
  await writeFile(at('m.onnx'), sequenceModel(LENGTH))
  await writeFile(at('profile.onnx'), profileModel(LENGTH))
  await writeFile(at('g.fa'), fastaOf({ chr1: genome }, 60))
  await writeFile(at('p.bed'), [300, 120, 700].map((start) => `chr1\t${start}\t${start + 40}\n`).join(''))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})
const at = (name: string) => join(folder, name)

async function succeed(...args: string[]): Promise<void> {
  const { code, stderr } = await runCli(args)
  expect(code, stderr).toBe(0)
}

async function score(model: string, out: string, ...args: string[]): Promise<void> {
  const regions = ['--bed', at('p.bed'), '--genome', at('g.fa'), '--reference', 'dinuc-shuffle:3']
  await succeed('score', at(model), ...regions, '--hypothetical', '--quiet', '--out', at(out), ...args)
}

const both = ['--target', '1', '--target', '0']

describe.each([
  ['chrombpnet', '.h5'],
  ['bpnet', '.h5'],
  ['bigwig', '.bw'],
  ['modisco', ''],
])('%s', (format, extension) => {
  test('has a file for each of several targets, which holds what the run of that target alone does', async () => {
    const of = (name: string) => (format === 'modisco' ? [`${name}.attr.npz`] : [`${name}${extension}`])
    await score('m.onnx', `both-${format}${extension}`, ...both, '--format', format, '--block', '2')
    for (const target of ['1', '0']) {
      await score('m.onnx', `alone-${target}${extension}`, '--target', target, '--format', format)
      const [several, alone] = [of(`both-${format}.target-${target}`), of(`alone-${target}`)]
      for (const [index, name] of several.entries())
        expect((await readFile(at(name))).equals(await readFile(at(alone[index]!))), name).toBe(true)
    }
    expect(await readdir(folder)).not.toContain(`both-${format}${extension || '.attr.npz'}`)
  })
})

test('an archive of several targets is converted target by target', async () => {
  await score('m.onnx', 'both.npz', ...both)
  for (const [number, target] of ['1', '0'].entries()) {
    await score('m.onnx', 'alone.h5', '--target', target, '--format', 'chrombpnet')
    await succeed('convert', at('both.npz'), at('one.h5'), '--format', 'chrombpnet', '--target', `${number}`)
    expect((await readFile(at('one.h5'))).equals(await readFile(at('alone.h5'))), target).toBe(true)
  }
  const report = async (number: string) => {
    await succeed('report', at('both.npz'), '--out', at('r.html'), '--target', number)
    return await readFile(at('r.html'), 'utf8')
  }
  expect(await report('0')).toMatch(/Target<\/dt><dd>1</)
  expect(await report('1')).toMatch(/Target<\/dt><dd>0</)
})

test('heads have the names of ChromBPNet', async () => {
  const control = { dtype: 'float32', shape: [3, 2, LENGTH - 8], data: new Float32Array(6 * (LENGTH - 8)) }
  await writeNpy(at('control.npy'), control as NpyArray)
  const held = ['--input', `control=${at('control.npy')}`, '--reference', 'control=self']
  const heads = ['--head', 'counts', '--head', 'profile']
  await score('profile.onnx', 'peaks.h5', ...held, ...heads, '--format', 'chrombpnet')
  const names = (await readdir(folder)).filter((name) => name.startsWith('peaks.') && name.endsWith('.h5'))
  expect(names.sort()).toEqual(['peaks.counts_scores.h5', 'peaks.profile_scores.h5'])
  const file = await openScoreFile(at('peaks.profile_scores.h5'))
  expect(JSON.parse(file.provenance!).parameters.target).toEqual({ head: 'profile' })
  await file.close()
})

test('names of targets are those of files, and differ', () => {
  const target = ['logits:1', '3', 'profile:*,100..200', 'a:1', 'a-1']
  expect(targetNames({ target, head: ['counts', 'out=profile:input'] })).toEqual([
    'logits-1',
    'target-3',
    'profile-100..200',
    'a-1',
    'a-1-4',
    'counts_scores',
    'out-profile-input_scores',
  ])
})
