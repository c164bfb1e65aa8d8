/** `deeplift marginalize`: what a motif changes in the outputs of a model, over many backgrounds. */

import type { Command } from 'commander'
import { addComparisonOptions } from '../comparison.js'
import { createReporter } from '../console.js'
import { runJob } from '../jobs/run.js'
import { addLongRun } from '../long-run.js'
import { collect } from '../model-options.js'
import { type MotifArguments, openMotifJob } from '../motif-job.js'
import { addParametersOption, type Parameters } from '../parameters.js'

export function addMarginalizeCommand(program: Command): void {
  const command = program
    .command('marginalize')
    .description('put motifs into background sequences: what changes in the outputs of the model')
    .argument('[model]', 'ONNX file')
  addLongRun(addMotifOptions(command), marginalize)
}

export function addMotifOptions(command: Command): Command {
  addParametersOption(command)
    .option(
      '--motif <[name=]letters>',
      'a motif, such as GATAAG; N leaves the background; repeat for several',
      collect,
    )
    .option('--motifs <file>', 'motifs: FASTA, or MEME, of which the consensus is taken')
    .option('--position <n>', 'of the first base of motifs, from 0 (default: in the middle)')
    .option('--background <file>', 'sequences that motifs are put into: FASTA, plain, gzip or bgzip')
    .option(
      '--shuffles <n>',
      'put them into n dinucleotide shuffles of each sequence of --background instead',
    )
    .option('--random <n>', 'put them into n random sequences')
    .option('--composition <A,C,G,T>', 'frequencies of bases of --random (default: .25 each)')
    .option('--length <bases>', 'of backgrounds (default: from the model)')
    .option(
      '--out <file>',
      'the table, FILE.tsv, beside which stands FILE.npz with the effect in each background',
    )
  return addComparisonOptions(command)
}

async function marginalize(
  path: string,
  options: MotifArguments,
  parameters: Parameters,
  signal: AbortSignal,
): Promise<void> {
  const reporter = createReporter(options.json === true)
  const job = await openMotifJob(path, options, parameters, signal)
  try {
    const { paths, facts, parameters: file, ...done } = await runJob(job, options, reporter, signal)
    reporter.result(
      () =>
        `${facts.motifs} motifs in ${facts.backgrounds} backgrounds in ${done.seconds.toFixed(1)} s: ${paths.join(', ')}`,
      { ...facts, ...done, files: paths, parameters: file },
    )
  } finally {
    await job.close()
  }
}
