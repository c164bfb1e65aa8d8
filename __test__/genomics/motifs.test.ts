import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readMotifs } from '../../src/genomics/motifs.js'
import { type Composition, randomSequence } from '../../src/genomics/random-sequence.js'
import { expectError } from '../support/errors.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-motifs-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

async function motifs(text: string): Promise<[string, string][]> {
  const path = join(folder, 'motifs')
  await writeFile(path, text)
  const found = await readMotifs(path)
  return found.map(({ name, codes }) => [name, Array.from(codes, (code) => 'ACGTN'[code]).join('')])
}

const MEME = `MEME version 4

ALPHABET= ACGT

strands: + -

Background letter frequencies
A 0.25 C 0.25 G 0.25 T 0.25

MOTIF MA0035.4 GATA1
letter-probability matrix: alength= 4 w= 4 nsites= 20 E= 0
  0.1   0.2 0.6 0.1
0.7\t0.1\t0.1\t0.1
 0.2  0.2  0.2  0.4
 1e0  0  0  0
URL http://example.org

MOTIF two
letter-probability matrix:
 0.5 0.5 0 0
 0 0 0 1
`

describe('motifs', () => {
  test('of MEME are the most frequent letters', async () => {
    expect(await motifs(MEME)).toEqual([
      ['MA0035.4', 'GATA'],
      ['two', 'AT'],
    ])
    expect(await motifs(MEME.replaceAll('\n', '\r\n'))).toHaveLength(2)
  })

  test('of FASTA are its records, with N where any base may stand', async () => {
    expect(await motifs('>tal1 x\nCAG\nNTG\n>gata\nGATAA\n')).toEqual([
      ['tal1', 'CAGNTG'],
      ['gata', 'GATAA'],
    ])
  })

  test.each([
    ['a matrix that is cut off', MEME.replace(/ 0\.2 {2}0\.2.*\n/, ''), /motif MA0035\.4 has 3 rows, not 4/],
    ['another alphabet', MEME.replace('ACGT', 'ACGU'), /line 3: the alphabet is ACGU/],
    ['another number of letters', MEME.replace('alength= 4', 'alength= 20'), /has 20 letters, not 4/],
    ['a matrix without a name', MEME.replace(/^MOTIF.*$/gm, ''), /before the first MOTIF/],
    ['no motif', 'MEME version 4\n', /has no motifs/],
    ['a row of no numbers', MEME.replace('0.7\t', 'x\t'), /has 1 rows, not 4/],
  ])('refuse %s', async (_, text, message) => {
    await expectError(() => motifs(text), 'FILE_FORMAT', message)
  })
})

describe('random sequences', () => {
  test('are the same for the same seed and number, and others for others', () => {
    const uniform: Composition = [0.25, 0.25, 0.25, 0.25]
    const sequence = (seed: number, number: number, length = 12) => [
      ...randomSequence(seed, number, length, uniform),
    ]
    expect(sequence(1, 0)).toEqual(sequence(1, 0))
    expect(sequence(1, 0, 7)).toEqual(sequence(1, 0).slice(0, 7))
    const others = [sequence(1, 0), sequence(1, 1), sequence(2, 0), sequence(11, 0), sequence(1, 10)]
    expect(new Set(others.map(String)).size).toBe(5)
    // Numbers that must not change from release to release.
    expect(sequence(1, 0)).toMatchInlineSnapshot(`
      [
        1,
        0,
        1,
        2,
        2,
        1,
        2,
        0,
        3,
        0,
        2,
        2,
      ]
    `)
  })

  test('have the composition that is asked for', () => {
    const composition: Composition = [0.1, 0.2, 0.3, 0.4]
    const length = 100_000
    const counts = [0, 0, 0, 0]
    for (const code of randomSequence(3, 5, length, composition)) counts[code]!++
    for (const [code, frequency] of composition.entries()) {
      const deviation = Math.sqrt(length * frequency * (1 - frequency))
      expect(Math.abs(counts[code]! - length * frequency)).toBeLessThan(4 * deviation)
    }
  })
})
