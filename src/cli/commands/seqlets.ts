/** `deeplift seqlets`: spans of high contributions as BED. */

import { type Command, Option } from 'commander'
import { DeepLiftError } from '../../errors.js'
import { openScoreFile, type ScoreFile } from '../../formats/score-file.js'
import {
  atRate,
  type SeqletCounts,
  type SeqletRate,
  seqletRates,
  THRESHOLDS,
} from '../../genomics/seqlet-rates.js'
import { type Seqlet, SeqletCaller, type SeqletOptions } from '../../genomics/seqlets.js'
import { writeText } from '../../io/files.js'
import { parseCount, parseTargetNumber } from '../arguments.js'
import { createReporter, type Reporter } from '../console.js'
import {
  addParametersOption,
  applyParameters,
  effectiveParameters,
  required,
  writeJson,
} from '../parameters.js'
import { sitesOf } from '../sites.js'

const THRESHOLD = 0.01
const FDR = 0.1

/** What contributions are multiplied with before seqlets are called. */
const SIGNS = { positive: [1], negative: [-1], both: [1, -1] } as const
type Sign = keyof typeof SIGNS

interface Settings extends Required<Omit<SeqletOptions, 'threshold'>> {
  sign: Sign
  /** Undefined where a rate is asked for. */
  threshold?: number
  /** The false discovery rate, estimated from a control. */
  fdr?: number
}

interface Arguments {
  out: string
  bed?: string
  threshold?: string
  control?: string
  fdr?: string
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
    .option(
      '--threshold <p>',
      `p-value that a seqlet and every span inside it is below (default: ${THRESHOLD})`,
    )
    .option(
      '--control <scores>',
      'scores of sequences without signal, such as shuffles, made in the same way: instead of a threshold',
    )
    .option('--fdr <rate>', `false discovery rate, estimated from --control (default: ${FDR})`)
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
      const settings = parseSettings(options)
      const target = parseTargetNumber(options.target)
      const scores = await openScoreFile(path, target)
      try {
        const control =
          options.control === undefined ? undefined : await openScoreFile(options.control, target)
        try {
          await writeSeqlets(scores, control, settings, options)
        } finally {
          await control?.close()
        }
        await writeJson(`${out}.params.json`, effectiveParameters(command, path))
      } finally {
        await scores.close()
      }
    })
}

async function writeSeqlets(
  scores: ScoreFile,
  control: ScoreFile | undefined,
  settings: Settings,
  options: Arguments,
): Promise<void> {
  const sites = await sitesOf(scores, options.bed)
  const reporter = createReporter(options.json === true)
  const signed = await prepare(scores, settings)
  if (control) for (const each of signed) each.rates = await ratesOf(scores, control, each)
  const found = await callAll(scores, signed, settings, reporter)
  const lines = found.map(({ row, seqlet: { start, end, attribution, pValue } }) => {
    const site = sites?.[row]
    const chrom = site?.chrom ?? scores.names?.[row] ?? String(row)
    const offset = site?.start ?? 0
    return `${[chrom, offset + start, offset + end, attribution, pValue].join('\t')}\n`
  })
  const beside = `${options.out}.json`
  await writeText(options.out, lines.join(''))
  await writeText(beside, `${JSON.stringify(description(scores, signed, settings), null, 2)}\n`)
  reporter.result(() => `${found.length} seqlets in ${scores.count} sequences: ${options.out}`, {
    seqlets: found.length,
    sequences: scores.count,
    files: [options.out, beside],
  })
}

/** The caller of one sign: low contributions are high ones of −x. */
interface Signed {
  factor: 1 | -1
  caller: SeqletCaller
  rates?: SeqletRate[]
}

/** Two passes: the range of all contributions, and their histogram. */
async function prepare(scores: ScoreFile, { sign, ...settings }: Settings): Promise<Signed[]> {
  const signed = SIGNS[sign].map((factor): Signed => ({ factor, caller: new SeqletCaller(settings) }))
  for await (const { projected } of scores.rows())
    for (const { caller, factor } of signed) caller.measure(times(projected, factor))
  for await (const { projected } of scores.rows())
    for (const { caller, factor } of signed) caller.count(times(projected, factor))
  return signed
}

async function ratesOf(
  scores: ScoreFile,
  control: ScoreFile,
  { caller, factor }: Signed,
): Promise<SeqletRate[]> {
  const countsOf = async (file: ScoreFile): Promise<SeqletCounts> => {
    const counts = THRESHOLDS.map(() => 0)
    for await (const contributions of sequences(file))
      for (const [index, count] of caller.countAt(times(contributions, factor), THRESHOLDS).entries())
        counts[index]! += count
    return { counts, positions: file.count * file.length }
  }
  return seqletRates(await countsOf(scores), await countsOf(control))
}

/** By falling attribution. */
async function callAll(
  scores: ScoreFile,
  signed: readonly Signed[],
  settings: Settings,
  reporter: Reporter,
): Promise<{ row: number; seqlet: Seqlet }[]> {
  const found: { row: number; seqlet: Seqlet }[] = []
  for (const { caller, factor, rates } of signed) {
    const threshold = rates ? thresholdOf(rates, settings.fdr!, factor, reporter) : settings.threshold
    if (threshold === undefined) continue
    let row = 0
    for await (const contributions of sequences(scores)) {
      for (const seqlet of caller.call(times(contributions, factor), threshold))
        found.push({ row, seqlet: { ...seqlet, attribution: factor * seqlet.attribution } })
      row++
    }
  }
  return found.sort((a, b) => b.seqlet.attribution - a.seqlet.attribution || a.row - b.row)
}

function thresholdOf(
  rates: readonly SeqletRate[],
  fdr: number,
  factor: 1 | -1,
  reporter: Reporter,
): number | undefined {
  const chosen = atRate(rates, fdr)
  if (chosen) return chosen.threshold
  const known = rates.map(({ rate }) => rate).filter((rate) => rate !== null)
  const lowest = known.length > 0 ? `; the lowest estimate is ${Math.min(...known).toPrecision(2)}` : ''
  reporter.warn(
    `no threshold has a false discovery rate of ${fdr} for ${factor > 0 ? 'high' : 'low'} contributions${lowest}.`,
  )
  return undefined
}

function description(scores: ScoreFile, signed: readonly Signed[], settings: Settings): object {
  const provenance = scores.provenance === undefined ? null : (JSON.parse(scores.provenance) as unknown)
  if (settings.fdr === undefined) return { provenance, seqlets: settings }
  const rates = signed.map(({ factor, rates }) => ({
    sign: factor > 0 ? 'positive' : 'negative',
    threshold: atRate(rates!, settings.fdr!)?.threshold ?? null,
    thresholds: rates,
  }))
  return { provenance, seqlets: settings, rates }
}

/** Contributions of each sequence. */
async function* sequences(scores: ScoreFile): AsyncGenerator<Float32Array> {
  for await (const { projected, length } of scores.rows())
    for (let start = 0; start < projected.length; start += length)
      yield projected.subarray(start, start + length)
}

const times = (values: Float32Array, factor: 1 | -1) =>
  factor === 1 ? values : values.map((value) => -value)

function parseSettings(options: Arguments): Settings {
  const shortest = parseCount(options.minLength, '--min-length', 1)
  const longest = parseCount(options.maxLength, '--max-length', shortest)
  const flanks = parseCount(options.flanks, '--flanks', 0)
  const settings = { shortest, longest, flanks, sign: options.sign }
  if (options.control === undefined) {
    if (options.fdr !== undefined) throw usage('--fdr is estimated from --control, which is missing.')
    return { threshold: probability(options.threshold ?? String(THRESHOLD), '--threshold'), ...settings }
  }
  if (options.threshold !== undefined) throw usage('--control chooses the threshold: leave out --threshold.')
  return { fdr: probability(options.fdr ?? String(FDR), '--fdr'), ...settings }
}

function probability(text: string, option: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value > 0 && value <= 1))
    throw usage(`${option}: expected a probability above 0 and up to 1, found "${text}".`)
  return value
}

function usage(message: string): DeepLiftError {
  return new DeepLiftError('INVALID_OPTION', message)
}
