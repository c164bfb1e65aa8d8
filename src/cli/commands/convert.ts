/** `deeplift convert`: files of scores in other formats. */

import type { Command } from 'commander'
import { DeepLiftError } from '../../errors.js'
import { BigWigRowsWriter } from '../../formats/bigwig.js'
import { Hdf5RowsWriter } from '../../formats/hdf5.js'
import { ModiscoWriter } from '../../formats/modisco.js'
import type { FileOptions, RowsWriter, Site } from '../../formats/rows.js'
import { openScoreFile, type ScoreFile } from '../../formats/score-file.js'
import { Genome } from '../../genomics/genome.js'
import { checkChoice } from '../../options/check.js'
import { parseTargetNumber } from '../arguments.js'
import { createReporter } from '../console.js'
import { addParametersOption, applyParameters, effectiveParameters, writeJson } from '../parameters.js'
import { canonicalJson } from '../provenance.js'
import { sitesOf } from '../sites.js'

const FORMATS = ['modisco', 'chrombpnet', 'bpnet', 'bigwig'] as const
type Format = (typeof FORMATS)[number]

interface Arguments {
  format?: string
  bed?: string
  genome?: string
  compress?: boolean
  float16?: boolean
  target?: string
  json?: boolean
}

export function addConvertCommand(program: Command): void {
  const command = program
    .command('convert')
    .description('write a file of scores in another format')
    .argument('[in]', '.npz of score, prefix of the two files of --format modisco, or .h5')
    .argument('[out]', 'file to write; with --format modisco the prefix of two files')
  addParametersOption(command)
    .option('--format <format>', `${FORMATS.join(', ')} (default: bigwig for .bw, modisco for a prefix)`)
    .option('--bed <file>', 'the rows that were scored, in their order; for bpnet and bigwig')
    .option('--genome <file>', 'FASTA or 2bit, whose chromosomes a bigWig lists')
    .option('--compress', 'deflate .npz and HDF5 files')
    .option('--float16', 'store scores in half precision')
    .option(
      '--target <n>',
      'which of several targets of an .npz, from 0, in the order in which they were scored',
    )
    .option('--json', 'print the summary as JSON')
    .action(async (first: string | undefined, second: string | undefined) => {
      const [input, out] = await applyParameters(command, first, second)
      const options = command.opts<Arguments>()
      const scores = await openScoreFile(input, parseTargetNumber(options.target))
      try {
        await convert(scores, out, options)
        await writeJson(`${out}.params.json`, effectiveParameters(command, input, out))
      } finally {
        await scores.close()
      }
    })
}

async function convert(scores: ScoreFile, out: string, options: Arguments): Promise<void> {
  const format = chooseFormat(out, options.format)
  const sites = await sitesOf(scores, options.bed)
  // What is not known is said to be unknown, not made up.
  const provenance = scores.provenance ?? canonicalJson({ program: null, converted: 'deeplift' })
  const { compress = false, float16 = false } = options
  const writer = await createWriter(format, out, options.genome, { provenance, compress, float16 })
  try {
    await copy(scores, writer, sites, format)
    await writer.finish()
  } catch (error) {
    await writer.abort()
    throw error
  }
  const { count } = scores
  createReporter(options.json === true).result(() => `${count} sequences: ${writer.paths.join(', ')}`, {
    sequences: count,
    files: writer.paths,
  })
}

async function copy(
  scores: ScoreFile,
  writer: RowsWriter,
  sites: readonly Site[] | undefined,
  format: Format,
): Promise<void> {
  if (scores.count === 0) throw refuse('there are no scores in it')
  if (writer.needs.sites && !sites)
    throw refuse(`--format ${format} says where each score lies: give the rows that were scored as --bed`)
  let done = 0
  for await (const rows of scores.rows()) {
    if (writer.needs.hypothetical && !rows.hypothetical)
      throw refuse(
        `--format ${format} holds hypothetical contributions, which score writes with --hypothetical`,
      )
    const end = done + rows.projected.length / rows.length
    await writer.write({ ...rows, sites: sites?.slice(done, end) })
    done = end
  }
}

function chooseFormat(out: string, format: string | undefined): Format {
  if (format !== undefined) return checkChoice(format, FORMATS, '--format')
  if (/\.(bw|bigwig)$/i.test(out)) return 'bigwig'
  if (!/\.(h5|hdf5|npz)$/.test(out)) return 'modisco'
  throw refuse('say which layout --format is')
}

async function createWriter(
  format: Format,
  out: string,
  genome: string | undefined,
  options: FileOptions,
): Promise<RowsWriter> {
  switch (format) {
    case 'modisco':
      return new ModiscoWriter(out, options)
    case 'chrombpnet':
    case 'bpnet':
      return new Hdf5RowsWriter(out, format, options)
    case 'bigwig': {
      if (genome === undefined) throw refuse('--format bigwig lists chromosomes: give their --genome')
      const opened = await Genome.open(genome)
      const { sizes, path } = opened
      await opened.close()
      return new BigWigRowsWriter(out, { path, sizes }, options)
    }
  }
}

function refuse(why: string): DeepLiftError {
  return new DeepLiftError('INVALID_OPTION', `convert: ${why}.`)
}
