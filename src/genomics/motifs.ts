/**
 * Motifs as sequences: records of a FASTA file, or the consensus of each matrix of a MEME file.
 *
 * MEME: `MOTIF name`, then `letter-probability matrix: alength= 4 w= 6`, then a line of four numbers per position.
 * The consensus has the most frequent letter, of equal ones the first of A, C, G, T.
 * The format: https://meme-suite.org/meme/doc/meme-format.html.
 */

import { DeepLiftError } from '../errors.js'
import { readLines } from './bed.js'
import { readFasta } from './fasta.js'

export interface Motif {
  name: string
  /** Base codes: A 0, C 1, G 2, T 3; 4 (N) is a position that the motif says nothing about. */
  codes: Uint8Array
}

/**
 * The motifs of a file, plain or packed, in order.
 *
 * @throws {DeepLiftError} FILE_FORMAT, INVALID_SEQUENCE naming file and line; FILE_NOT_FOUND
 */
export async function readMotifs(path: string): Promise<Motif[]> {
  const motifs = (await isMeme(path)) ? await readMeme(path) : await readMotifSequences(path)
  if (motifs.length > 0) return motifs
  throw new DeepLiftError('FILE_FORMAT', `${path} has no motifs.`, { details: { file: path } })
}

async function isMeme(path: string): Promise<boolean> {
  for await (const line of readLines(path, path))
    if (line.trim() !== '') return line.startsWith('MEME version')
  return false
}

async function readMotifSequences(path: string): Promise<Motif[]> {
  const motifs: Motif[] = []
  for await (const { name, codes } of readFasta(path)) motifs.push({ name, codes })
  return motifs
}

async function readMeme(path: string): Promise<Motif[]> {
  const motifs: Motif[] = []
  let line = 0
  let name: string | undefined
  let matrix: { codes: number[]; width: number | undefined } | undefined
  const wrong = (problem: string) =>
    new DeepLiftError('FILE_FORMAT', `${path}, line ${line}: ${problem}.`, { details: { file: path, line } })
  const finish = () => {
    if (!matrix) return
    const { codes, width } = matrix
    if (codes.length === 0 || (width !== undefined && codes.length !== width))
      throw wrong(`the matrix of motif ${name} has ${codes.length} rows, not ${width ?? 'at least 1'}`)
    motifs.push({ name: name!, codes: Uint8Array.from(codes) })
    matrix = undefined
  }
  for await (const text of readLines(path, path)) {
    line++
    const row = matrix && consensus(text)
    if (row !== undefined) {
      matrix!.codes.push(row)
      continue
    }
    finish()
    const alphabet = /^ALPHABET\s*=?\s*(\S+)/.exec(text)?.[1]
    if (alphabet !== undefined && alphabet !== 'ACGT') throw wrong(`the alphabet is ${alphabet}, not ACGT`)
    name = /^MOTIF\s+(\S+)/.exec(text)?.[1] ?? name
    if (!text.startsWith('letter-probability matrix')) continue
    if (name === undefined) throw wrong('a matrix stands before the first MOTIF')
    const length = /alength=\s*(\d+)/.exec(text)?.[1] ?? '4'
    if (length !== '4') throw wrong(`the matrix of motif ${name} has ${length} letters, not 4`)
    const width = /\bw=\s*(\d+)/.exec(text)?.[1]
    matrix = { codes: [], width: width === undefined ? undefined : Number(width) }
  }
  finish()
  return motifs
}

/** The letter of a row of four numbers; undefined for any other line. */
function consensus(text: string): number | undefined {
  const columns = text.trim().split(/\s+/)
  const values = columns.map(Number)
  if (columns.length !== 4 || columns[0] === '' || !values.every((value) => value >= 0)) return undefined
  return values.indexOf(Math.max(...values))
}
