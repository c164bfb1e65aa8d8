/** `deeplift shuffle`: sequences without signal, as the control of `deeplift seqlets`. */

import type { Command } from 'commander'
import { LETTERS } from '../../formats/rows.js'
import { openScoreFile, type ScoreFile } from '../../formats/score-file.js'
import { UNKNOWN_BASE } from '../../genomics/letters.js'
import { OutputFile } from '../../io/files.js'
import { parseCount, parseTargetNumber } from '../arguments.js'
import { type Background, shuffledBackgrounds } from '../backgrounds.js'
import { createReporter } from '../console.js'
import {
  addParametersOption,
  applyParameters,
  effectiveParameters,
  required,
  writeJson,
} from '../parameters.js'

interface Arguments {
  count: string
  seed: string
  target?: string
  json?: boolean
}

const CODE_LETTERS = 'ACGTN'

export function addShuffleCommand(program: Command): void {
  const command = program
    .command('shuffle')
    .description('write dinucleotide shuffles of the sequences of a file of scores, for seqlets --control')
    .argument('[scores]', '.npz of score, prefix of the two files of --format modisco, or .h5')
  addParametersOption(command)
    .option('--out <file.fa>', 'FASTA to write; score it as the sequences were scored')
    .option('--count <n>', 'shuffles of each sequence', '5')
    .option('--seed <n>', 'of the shuffles', '1')
    .option('--target <n>', 'any of several targets of an .npz: their sequences are the same')
    .option('--json', 'print the summary as JSON')
    .action(async (argument: string | undefined) => {
      const [path] = await applyParameters(command, argument)
      const out = required(command, 'out')
      const { json, ...options } = command.opts<Arguments>()
      const count = parseCount(options.count, '--count', 1)
      const seed = parseCount(options.seed, '--seed', 0)
      const scores = await openScoreFile(path, parseTargetNumber(options.target))
      try {
        const written = await write(shuffledBackgrounds(sequences(scores), count, seed), out)
        await writeJson(`${out}.params.json`, effectiveParameters(command, path))
        createReporter(json === true).result(
          () => `${written} shuffles of ${scores.count} sequences: ${out}`,
          {
            shuffles: written,
            sequences: scores.count,
            files: [out],
          },
        )
      } finally {
        await scores.close()
      }
    })
}

async function* sequences(scores: ScoreFile): AsyncGenerator<Background> {
  let number = 0
  for await (const { oneHot, length } of scores.rows())
    for (let start = 0; start < oneHot.length; start += LETTERS * length) {
      const codes = codesOf(oneHot.subarray(start, start + LETTERS * length), length)
      yield { name: scores.names?.[number] ?? String(number), codes, number: number++ }
    }
}

/** Base codes `[length]` from `[4, length]`. */
function codesOf(oneHot: Int8Array, length: number): Uint8Array {
  const codes = new Uint8Array(length).fill(UNKNOWN_BASE)
  for (const [index, value] of oneHot.entries())
    if (value !== 0) codes[index % length] = Math.floor(index / length)
  return codes
}

async function write(shuffles: AsyncIterable<Background>, out: string): Promise<number> {
  const file = await OutputFile.create(out)
  let written = 0
  try {
    for await (const { name, codes } of shuffles) {
      const letters = Array.from(codes, (code) => CODE_LETTERS[code]).join('')
      await file.append(Buffer.from(`>${name}\n${letters}\n`))
      written++
    }
    await file.commit()
  } catch (error) {
    await file.discard()
    throw error
  }
  return written
}
