/** `deeplift score`: contribution scores of sequences, regions or arrays, into files. */

import type { Command } from 'commander'
import type { NodeResidual } from '../../trace.js'
import { usage } from '../arguments.js'
import { createReporter, table } from '../console.js'
import { runExamples } from '../example-job.js'
import { ALL } from '../jobs/job.js'
import type { JobArguments } from '../jobs/run.js'
import { addLongRun } from '../long-run.js'
import type { Parameters } from '../parameters.js'
import { addScoreOptions, type ScoreArguments } from '../score-arguments.js'
import { openScoreJob, openScoring } from '../score-job.js'
import { rateLine } from '../summary.js'

interface Arguments extends ScoreArguments, JobArguments {
  traceCompleteness?: boolean
}

export function addScoreCommand(program: Command): void {
  const command = program
    .command('score')
    .description('score sequences, regions or arrays and write the contributions to a file')
    .argument('[model]', 'ONNX file')
  addScoreOptions(command).option(
    '--trace-completeness',
    'instead of scores, print how far contributions are from summing up at each node',
  )
  addLongRun(command, score)
}

async function score(
  path: string,
  options: Arguments,
  parameters: Parameters,
  signal: AbortSignal,
): Promise<void> {
  const { out, traceCompleteness = false } = options
  if (traceCompleteness === (out !== undefined))
    throw usage(
      traceCompleteness
        ? '--trace-completeness prints a table and writes no scores: leave out --out.'
        : 'say where the scores go: --out FILE.',
    )
  if (traceCompleteness) {
    await trace(path, options, signal)
    return
  }
  const job = await openScoreJob(path, options, parameters, signal)
  await runExamples(job, options, signal, (done, unit) => rateLine(done, unit, job.scoring))
}

async function trace(path: string, options: Arguments, signal: AbortSignal): Promise<void> {
  const { model, scoring, source } = await openScoring(path, options, signal)
  const { outputs: _, ...choices } = scoring
  try {
    const { references } = source
    const nodes = await model.trace(source.records(ALL, true), { ...choices, references, signal })
    const settings = { model: path, references: options.reference ?? null, seed: options.seed, ...scoring }
    createReporter(options.json === true).result(() => residualTable(nodes), { nodes, settings })
  } finally {
    await source.close()
  }
}

/** Rows that people want to see; programs get all of them as JSON. */
const ROWS_SHOWN = 20

function residualTable(nodes: readonly NodeResidual[]): string {
  const rows = nodes
    .slice(0, ROWS_SHOWN)
    .map(({ node, op, rule, residual, relative }) => [
      relative.toExponential(1),
      residual.toExponential(1),
      node,
      op,
      rule,
    ])
  const hidden = nodes.length - rows.length
  return (
    table([['relative', 'residual', 'node', 'op', 'rule'], ...rows], [0, 1]) +
    (hidden > 0 ? `\n${hidden} more nodes lose less (--json shows all)` : '')
  )
}
