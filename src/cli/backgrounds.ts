/** Sequences that motifs are put into: those of a file, shuffles of them, or random ones. */

import { readFasta } from '../genomics/fasta.js'
import { type Composition, randomSequence } from '../genomics/random-sequence.js'
import { dinucleotideShuffle } from '../references.js'
import { shuffledSequences } from '../shuffles.js'
import { parseCount, usageOf } from './arguments.js'

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

/** What makes the backgrounds of a command anew each time it is called. */
export function backgroundsOf(
  options: BackgroundArguments,
  length: number,
  signal: AbortSignal,
): () => AsyncGenerator<Background> {
  const { background, shuffles, random, composition } = options
  const refuse = (message: string) => usageOf('marginalize', message)
  if ((background === undefined) === (random === undefined))
    throw refuse('give the backgrounds as --background FILE.fa or as --random COUNT.')
  if (shuffles !== undefined && background === undefined) throw refuse('--shuffles belongs to --background.')
  if (composition !== undefined && random === undefined) throw refuse('--composition belongs to --random.')
  const seed = parseCount(options.seed, '--seed', 0)
  if (random !== undefined) {
    const count = parseCount(random, '--random', 1)
    return () => randomBackgrounds(count, seed, length, parseComposition(composition))
  }
  const sequences = () => fileBackgrounds(background!, length, signal)
  if (shuffles === undefined) return sequences
  const count = parseCount(shuffles, '--shuffles', 1)
  return () => shuffledBackgrounds(sequences(), count, seed)
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
  count: number,
  seed: number,
  length: number,
  composition: Composition,
): AsyncGenerator<Background> {
  for (let number = 0; number < count; number++)
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
): AsyncGenerator<Background> {
  const shuffle = dinucleotideShuffle({ count, seed })
  let total = 0
  for await (const { name, codes, number } of sequences) {
    // Numbered from the other end: under one seed, the references of a background would be these shuffles themselves.
    const { data } = shuffledSequences(codes, shuffle, Number.MAX_SAFE_INTEGER - number)
    for (let index = 0; index < count; index++) {
      const own = data.slice(index * codes.length, (index + 1) * codes.length)
      yield { name: `${name}_${index}`, codes: own, number: total++ }
    }
  }
}
