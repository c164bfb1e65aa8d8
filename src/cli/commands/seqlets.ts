/** `deeplift seqlets`: spans of high contributions as BED. */

import { type Command, Option } from 'commander'
import { DeepLiftError } from '../../errors.js'
import { openScoreFile, type ScoreFile } from '../../formats/score-file.js'
import { type Seqlet, SeqletCaller, type SeqletOptions } from '../../genomics/seqlets.js'
import { writeText } from '../../io/files.js'
import { parseCount, parseTargetNumber } from '../arguments.js'
import { createReporter } from '../console.js'
import {
  addParametersOption,
  applyParameters,
  effectiveParameters,
  required,
  writeJson,
} from '../parameters.js'
import { sitesOf } from '../sites.js'

/** What contributions are multiplied with before seqlets are called. */
const SIGNS = { positive: [1], negative: [-1], both: [1, -1] } as const
type Sign = keyof typeof SIGNS

interface Settings extends Required<SeqletOptions> {
  sign: Sign
}

interface Arguments {
  out: string
  bed?: string
  threshold: string
  minLength: string
  maxLength: string
  flanks: string
  sign: Sign
  target?: string
  json?: boolean
}

export function addSeqletsCommand(program: Command): void {
  const command = program
    .command('seqlets')
    .description('find spans of high or low contributions, and write them as BED')
    .argument('[scores]', '.npz of score, prefix of the two files of --format modisco, or .h5')
  addParametersOption(command)
    .option(
      '--out <file>',
      'BED: chrom, start, end, attribution and p-value, by falling attribution; FILE.json says how they were called',
    )
    .option(
      '--bed <file>',
      'the rows that were scored, in their order; without it, sequences count by themselves',
    )
    .option('--threshold <p>', 'p-value that a seqlet and every span inside it is below', '0.01')
    .option('--min-length <n>', 'positions of the shortest', '4')
    .option('--max-length <n>', 'positions of the longest', '25')
    .option('--flanks <n>', 'positions added on both sides', '0')
    .addOption(
      new Option('--sign <sign>', 'spans of high or of low contributions, or both')
        .choices(Object.keys(SIGNS))
        .default('positive'),
    )
    .option(
      '--target <n>',
      'which of several targets of an .npz, from 0, in the order in which they were scored',
    )
    .option('--json', 'print the summary as JSON')
    .action(async (argument: string | undefined) => {
      const [path] = await applyParameters(command, argument)
      const out = required(command, 'out')
      const options = command.opts<Arguments>()
      const scores = await openScoreFile(path, parseTargetNumber(options.target))
      try {
        await writeSeqlets(scores, options)
        await writeJson(`${out}.params.json`, effectiveParameters(command, path))
      } finally {
        await scores.close()
      }
    })
}

async function writeSeqlets(scores: ScoreFile, options: Arguments): Promise<void> {
  const settings = parseSettings(options)
  const sites = await sitesOf(scores, options.bed)
  const found: { row: number; seqlet: Seqlet }[] = []
  for await (const [row, seqlets] of callSeqlets(scores, settings))
    for (const seqlet of seqlets) found.push({ row, seqlet })
  found.sort((a, b) => b.seqlet.attribution - a.seqlet.attribution || a.row - b.row)
  const lines = found.map(({ row, seqlet: { start, end, attribution, pValue } }) => {
    const site = sites?.[row]
    const chrom = site?.chrom ?? scores.names?.[row] ?? String(row)
    const offset = site?.start ?? 0
    return `${[chrom, offset + start, offset + end, attribution, pValue].join('\t')}\n`
  })
  const beside = `${options.out}.json`
  const provenance = scores.provenance === undefined ? null : (JSON.parse(scores.provenance) as unknown)
  await writeText(options.out, lines.join(''))
  await writeText(beside, `${JSON.stringify({ provenance, seqlets: settings }, null, 2)}\n`)
  createReporter(options.json === true).result(
    () => `${found.length} seqlets in ${scores.count} sequences: ${options.out}`,
    { seqlets: found.length, sequences: scores.count, files: [options.out, beside] },
  )
}

/** Three passes: the range of all contributions, their histogram, and the calls. Negative seqlets are those of −x. */
export async function* callSeqlets(
  scores: ScoreFile,
  { sign, ...settings }: Settings,
): AsyncGenerator<[row: number, seqlets: Seqlet[]]> {
  const callers = SIGNS[sign].map((factor) => ({ factor, caller: new SeqletCaller(settings) }))
  for await (const { projected } of scores.rows())
    for (const { caller, factor } of callers) caller.measure(times(projected, factor))
  for await (const { projected } of scores.rows())
    for (const { caller, factor } of callers) caller.count(times(projected, factor))
  let row = 0
  for await (const { projected, length } of scores.rows())
    for (let start = 0; start < projected.length; start += length) {
      const contributions = projected.subarray(start, start + length)
      const called = callers.flatMap(({ caller, factor }) =>
        caller
          .call(times(contributions, factor))
          .map((seqlet) => ({ ...seqlet, attribution: factor * seqlet.attribution })),
      )
      yield [row++, called]
    }
}

const times = (values: Float32Array, factor: 1 | -1) =>
  factor === 1 ? values : values.map((value) => -value)

function parseSettings(options: Arguments): Settings {
  const shortest = parseCount(options.minLength, '--min-length', 1)
  const longest = parseCount(options.maxLength, '--max-length', shortest)
  const threshold = Number(options.threshold)
  if (options.threshold.trim() === '' || !(threshold > 0 && threshold <= 1))
    throw new DeepLiftError(
      'INVALID_OPTION',
      `--threshold: expected a probability above 0 and up to 1, found "${options.threshold}".`,
    )
  const flanks = parseCount(options.flanks, '--flanks', 0)
  return { threshold, shortest, longest, flanks, sign: options.sign }
}
