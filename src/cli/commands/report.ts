/** `deeplift report`: a page to look at scores. */

import { basename } from 'node:path'
import type { Command } from 'commander'
import { openScoreFile, type ScoreFile } from '../../formats/score-file.js'
import { writeText } from '../../io/files.js'
import { reportPage } from '../../report/page.js'
import { type ReportData, reportData } from '../../report/sequences.js'
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

interface Arguments {
  out: string
  bed?: string
  limit: string
  title?: string
  igv: boolean
  target?: string
  json?: boolean
}

export function addReportCommand(program: Command): void {
  const command = program
    .command('report')
    .description('make one HTML page with logos, hypothetical scores, seqlets and completeness')
    .argument('[scores]', '.npz of score, prefix of the two files of --format modisco, or .h5')
  addParametersOption(command)
    .option('--out <file.html>', 'page to write; it needs no other file and no network')
    .option('--bed <file>', 'the rows that were scored, in their order; for coordinates')
    .option('--limit <n>', 'sequences on the page: those with the largest contributions', '200')
    .option('--no-igv', 'leave out the view of the genome, 0.6 MB, that pages of regions have')
    .option('--title <text>', 'heading (default: the name of the file)')
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
        await report(scores, basename(path), options)
        await writeJson(`${out}.params.json`, effectiveParameters(command, path))
      } finally {
        await scores.close()
      }
    })
}

async function report(scores: ScoreFile, name: string, options: Arguments): Promise<void> {
  const sites = await sitesOf(scores, options.bed)
  const data = await reportData(scores, sites, parseCount(options.limit, '--limit', 1), {})
  const shown = data.sequences.length
  const note = shown < scores.count ? `${shown} of ${scores.count} sequences are on this page.` : ''
  const page = await reportPage(
    { title: options.title ?? name, facts: facts(scores, data), sequences: data.sequences, note },
    { igv: options.igv },
  )
  await writeText(options.out, page)
  createReporter(options.json === true).result(
    () => `${shown} of ${scores.count} sequences, ${data.seqlets} seqlets: ${options.out}`,
    { sequences: scores.count, shown, seqlets: data.seqlets, files: [options.out] },
  )
}

interface Provenance {
  modelSha256?: string
  references?: readonly string[]
  seed?: string
  version?: string
  parameters?: { target?: object; rule?: unknown; precision?: string }
}

function facts(scores: ScoreFile, data: ReportData): [string, string][] {
  const provenance = JSON.parse(scores.provenance ?? '{}') as Provenance
  const { modelSha256, parameters = {}, references, seed, version } = provenance
  const known: [string, unknown][] = [
    ['Sequences', `${scores.count} × ${scores.length} positions`],
    ['Target', parameters.target && describeTarget(parameters.target)],
    ['Rule', describeRule(parameters.rule) ?? (version && 'rescale')],
    ['References', references?.join(', ')],
    ['Seed', seed],
    ['Worst completeness', data.worstCompleteness?.toExponential(1)],
    ['Seqlets', `${data.seqlets}`],
    ['Precision', parameters.precision],
    ['Model (SHA-256)', modelSha256?.slice(0, 16)],
    ['deeplift', version],
  ]
  return known.flatMap(([name, value]) =>
    value === undefined ? [] : [[name, typeof value === 'string' ? value : JSON.stringify(value)]],
  )
}

/** The name of the rule where it holds for all nodes, else what the provenance holds. */
function describeRule(rule: unknown): unknown {
  if (typeof rule !== 'object' || rule === null) return rule
  const { default: name, ...rest } = rule as { default?: unknown }
  return Object.keys(rest).length === 0 ? name : rule
}

/** `logits:1` for the common case, else what the provenance holds. */
function describeTarget(target: object): string {
  const { output, index, ...rest } = target as { output?: string; index?: unknown }
  const plain = Object.keys(rest).length === 0 && typeof index === 'number'
  return plain ? `${output === undefined ? '' : `${output}:`}${index}` : JSON.stringify(target)
}
