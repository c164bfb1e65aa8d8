/**
 * Letters of a sequence to base codes: A 0, C 1, G 2, T 3, unknown 4.
 *
 * The rules are those of `Alphabet` in crates/sequence, which reads letters that do not come from a file.
 */

import { DeepLiftError } from '../errors.js'

/** The code of a base that is not known to be one of A, C, G, T. */
export const UNKNOWN_BASE = 4

/** What {@link letterTable} holds for bytes that are not read. */
export const REFUSED = 255

/** Which letters are read, and how. ACGT always are. */
export interface LetterOptions {
  /** Lower case, which genomes use to mark repeats: read as upper case, or refused. Default `'accept'`. */
  lowercase?: 'accept' | 'reject'
  /** N and the other ambiguity codes (RYSWKMBDHV): read as unknown, or refused. Default `'n'`. */
  ambiguous?: 'n' | 'reject'
  /** U, which only RNA has: refused, or read as T. Default `'reject'`. */
  uracil?: 'reject' | 't'
}

const CHOICES = {
  lowercase: ['accept', 'reject'],
  ambiguous: ['n', 'reject'],
  uracil: ['reject', 't'],
} as const

/** The code of each of the 256 bytes, or {@link REFUSED}. */
export function letterTable(options: LetterOptions): Uint8Array {
  for (const [name, choices] of Object.entries(CHOICES)) {
    const value = options[name as keyof LetterOptions]
    if (value !== undefined && !(choices as readonly string[]).includes(value))
      throw new DeepLiftError(
        'INVALID_OPTION',
        `${name} is ${choices.map((choice) => `'${choice}'`).join(' or ')}, not ${JSON.stringify(value)}.`,
      )
  }
  const table = new Uint8Array(256).fill(REFUSED)
  const read = (letters: string, code: (index: number) => number) => {
    for (const [index, letter] of [...letters].entries()) {
      table[letter.charCodeAt(0)] = code(index)
      if (options.lowercase !== 'reject') table[letter.toLowerCase().charCodeAt(0)] = code(index)
    }
  }
  read('ACGT', (index) => index)
  if (options.uracil === 't') read('U', () => 3)
  if (options.ambiguous !== 'reject') read('NRYSWKMBDHV', () => UNKNOWN_BASE)
  return table
}

/** Why a byte is refused, and what to do where we know. */
export function explainRefusal(byte: number): string {
  const letter = String.fromCharCode(byte)
  if (byte === 13) return 'a carriage return that does not end the line; convert the file to Unix line ends'
  if (byte < 33 || byte > 126)
    return `the byte 0x${byte.toString(16).padStart(2, '0')}, which is not a letter`
  if ('Uu'.includes(letter)) return `'${letter}': this looks like RNA; pass uracil: 't' to read U as T`
  if ('acgt'.includes(letter)) return `'${letter}', and lower case is refused (lowercase: 'reject')`
  if ('NRYSWKMBDHVnryswkmbdhv'.includes(letter))
    return `'${letter}', and bases that are not A, C, G or T are refused`
  if ('-.'.includes(letter)) return `'${letter}': a gap; remove gaps from aligned sequences`
  return `'${letter}', which is not a nucleotide`
}
