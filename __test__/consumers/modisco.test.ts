/** TF-MoDISco on what the demo writes: it must find the two motifs that were embedded, and nothing else. */

import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readFasta } from '../../src/index.js'
import { missingPython, named, python, runPython } from '../support/python.js'

const demo = fileURLToPath(new URL('../../examples/demo/', import.meta.url))
const missing = missingPython('modisco')

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-modisco-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})
const at = (name: string) => join(folder, name)

/** Frequencies `[position][letter]`. */
type Matrix = number[][]

/** The frequencies of letters in the embedded instances, as they were read from their strand. */
async function planted(): Promise<Map<string, Matrix>> {
  const sequences = new Map<string, Uint8Array>()
  for await (const { name, codes } of readFasta(join(demo, 'sequences.fa'))) sequences.set(name, codes)
  const instances = new Map<string, number[][]>()
  for (const row of (await readFile(join(demo, 'motifs.bed'), 'utf8')).trim().split('\n')) {
    const [sequence, start, end, motif, , strand] = row.split('\t')
    const codes = [...sequences.get(sequence!)!.slice(Number(start), Number(end))]
    const read = strand === '-' ? codes.reverse().map((code) => 3 - code) : codes
    instances.set(motif!, [...(instances.get(motif!) ?? []), read])
  }
  return new Map([...instances].map(([motif, read]) => [motif, frequencies(read)]))
}

function frequencies(rows: readonly (readonly number[])[]): Matrix {
  return rows[0]!.map((_, position) =>
    [0, 1, 2, 3].map((letter) => rows.filter((row) => row[position] === letter).length / rows.length),
  )
}

const reverseComplement = (matrix: Matrix): Matrix => matrix.map((row) => [...row].reverse()).reverse()

/** The largest correlation with a part of the pattern, on either strand. */
function similarity(motif: Matrix, pattern: Matrix): number {
  let best = -1
  for (const each of [pattern, reverseComplement(pattern)])
    for (let start = 0; start + motif.length <= each.length; start++)
      best = Math.max(best, correlation(motif.flat(), each.slice(start, start + motif.length).flat()))
  return best
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [meanA, meanB] = [mean(a), mean(b)]
  const sum = (f: (x: number, y: number) => number) =>
    a.reduce((total, value, index) => total + f(value - meanA, b[index]! - meanB), 0)
  return sum((x, y) => x * y) / Math.sqrt(sum((x) => x * x) * sum((_, y) => y * y))
}

const PATTERNS = `
import h5py, json, sys
with h5py.File(sys.argv[1]) as f:
    print(json.dumps([group["sequence"][:].tolist() for signs in f.values() for group in signs.values()]))
`

test.skipIf(missing)(
  named('modisco motifs finds the two motifs of the demo in its HDF5', missing),
  async () => {
    execFileSync(process.execPath, [join(demo, 'genome.mjs'), folder], { stdio: 'pipe' })
    // 300 seqlets and one clustering are enough for two motifs.
    const fast = ['-n', '300', '-l', '1', '-w', '200']
    runPython('modisco', ['modisco', 'motifs', '-i', at('regions.h5'), ...fast, '-o', at('modisco.h5')])
    const patterns = python('modisco', PATTERNS, [at('modisco.h5')]) as Matrix[]
    const motifs = [...(await planted())]
    expect(motifs.map(([name]) => name).sort()).toEqual(['GATA1', 'TAL1'])
    const found = patterns.map((pattern) => {
      const [best] = motifs
        .map(([name, motif]) => ({ name, similarity: similarity(motif, pattern) }))
        .sort((a, b) => b.similarity - a.similarity)
      expect(best!.similarity, best!.name).toBeGreaterThan(0.9)
      return best!.name
    })
    expect(new Set(found)).toEqual(new Set(['GATA1', 'TAL1']))
  },
  600_000,
)
