/** Sequences that motifs are put into: those of a file, shuffles of them, or random ones. */

import { readFasta } from '../genomics/fasta.js'
import { type Composition, randomSequence } from '../genomics/random-sequence.js'
import { isFile } from '../io/files.js'
import { dinucleotideShuffle } from '../references.js'
import { shuffledSequences } from '../shuffles.js'
import { parseCount, usageOf } from './arguments.js'
import { ALL, type Range } from './jobs/job.js'

export interface BackgroundArguments {
  background?: string
  shuffles?: string
  random?: string
  composition?: string
  seed: string
}

export interface Background {
  name: string
  codes: Uint8Array
  /** From 0. */
  number: number
}

/** Frequencies may sum from 1 by this much: they are often written with two digits. */
const TOLERANCE = 1e-3

export interface Backgrounds {
  /** Undefined for a pipe. */
  total: number | undefined
  /** Makes those of these numbers, anew each time. */
  between(range: Range): AsyncGenerator<Background>
}

/** One look through the file, if there is one, so that a wrong sequence is found before anything is computed. */
export async function openBackgrounds(
  options: BackgroundArguments,
  length: number,
  signal: AbortSignal,
): Promise<Backgrounds> {
  const { background, shuffles, random, composition } = options
  const refuse = (message: string) => usageOf('marginalize', message)
  if ((background === undefined) === (random === undefined))
    throw refuse('give the backgrounds as --background FILE.fa or as --random COUNT.')
  if (shuffles !== undefined && background === undefined) throw refuse('--shuffles belongs to --background.')
  if (composition !== undefined && random === undefined) throw refuse('--composition belongs to --random.')
  const seed = parseCount(options.seed, '--seed', 0)
  if (random !== undefined) {
    const total = parseCount(random, '--random', 1)
    const frequencies = parseComposition(composition)
    return { total, between: (range) => randomBackgrounds(seed, length, frequencies, within(range, total)) }
  }
  const perSequence = shuffles === undefined ? undefined : parseCount(shuffles, '--shuffles', 1)
  const sequences = await countSequences(background!, length, signal)
  return {
    total: sequences === undefined ? undefined : sequences * (perSequence ?? 1),
    between(range) {
      const found = fileBackgrounds(background!, length, signal)
      return perSequence === undefined
        ? only(found, range)
        : shuffledBackgrounds(found, perSequence, seed, range)
    },
  }
}

async function countSequences(
  path: string,
  length: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (!(await isFile(path))) return undefined
  let count = 0
  const sequences = readFasta(path, { length, signal })
  while (!(await sequences.next()).done) count++
  return count
}

function within({ first, end }: Range, total: number): Range {
  return { first, end: Math.min(end, total) }
}

async function* only(
  backgrounds: AsyncIterable<Background>,
  { first, end }: Range,
): AsyncGenerator<Background> {
  for await (const background of backgrounds) {
    if (background.number >= end) return
    if (background.number >= first) yield background
  }
}

function parseComposition(text: string | undefined): Composition {
  if (text === undefined) return [0.25, 0.25, 0.25, 0.25]
  const values = text.split(',').map(Number)
  const total = values.reduce((sum, value) => sum + value, 0)
  if (values.length !== 4 || !values.every((value) => value >= 0) || !(Math.abs(total - 1) <= TOLERANCE))
    throw usageOf(
      'marginalize',
      `--composition: expected the frequencies of A,C,G,T, which sum to 1; found "${text}".`,
    )
  return values.map((value) => value / total) as unknown as Composition
}

async function* randomBackgrounds(
  seed: number,
  length: number,
  composition: Composition,
  { first, end }: Range,
): AsyncGenerator<Background> {
  for (let number = first; number < end; number++)
    yield { name: `random_${number}`, codes: randomSequence(seed, number, length, composition), number }
}

async function* fileBackgrounds(
  path: string,
  length: number,
  signal: AbortSignal,
): AsyncGenerator<Background> {
  let number = 0
  for await (const { name, codes } of readFasta(path, { length, signal }))
    yield { name, codes, number: number++ }
}

/** The shuffles of each, that have its dinucleotides, named with their number behind. */
export async function* shuffledBackgrounds(
  sequences: AsyncIterable<Background>,
  count: number,
  seed: number,
  { first, end }: Range = ALL,
): AsyncGenerator<Background> {
  const shuffle = dinucleotideShuffle({ count, seed })
  for await (const { name, codes, number } of sequences) {
    const before = number * count
    if (before >= end) return
    if (before + count <= first) continue
    // Numbered from the other end: under one seed, the references of a background would be these shuffles themselves.
    const { data } = shuffledSequences(codes, shuffle, Number.MAX_SAFE_INTEGER - number)
    for (let index = Math.max(0, first - before); index < Math.min(count, end - before); index++) {
      const own = data.slice(index * codes.length, (index + 1) * codes.length)
      yield { name: `${name}_${index}`, codes: own, number: before + index }
    }
  }
}
