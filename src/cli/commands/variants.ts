/** `deeplift variants`: what variants change in the outputs of a model, and the scores of both alleles. */

import { type Command, Option } from 'commander'
import { VARIANT_SCHEMAS } from '../../genomics/variant-list.js'
import { MISMATCH } from '../alleles.js'
import { addComparisonOptions } from '../comparison.js'
import { createReporter } from '../console.js'
import { runJob } from '../jobs/run.js'
import { addLongRun } from '../long-run.js'
import { addParametersOption, type Parameters } from '../parameters.js'
import { addWindowOptions } from '../score-arguments.js'
import { openVariantJob, type VariantArguments } from '../variant-job.js'

export function addVariantsCommand(program: Command): void {
  const command = program
    .command('variants')
    .description('compare the alleles of variants: outputs of the model as a table, and scores on request')
    .argument('[model]', 'ONNX file')
  addLongRun(addVariantOptions(command), variants)
}

export function addVariantOptions(command: Command): Command {
  addParametersOption(command)
    .option('--vcf <file>', 'variants: VCF, plain, gzip or bgzip')
    .option('--variants <file>', 'variants: a list as variant-scorer reads it')
    .addOption(
      new Option('--schema <columns>', 'columns of --variants')
        .choices(VARIANT_SCHEMAS)
        .default('chrombpnet'),
    )
  addWindowOptions(command).addOption(
    new Option(
      '--mismatch <policy>',
      'variants that are not of the genome, by their chromosome or reference allele: end, or leave them out',
    )
      .choices(MISMATCH)
      .default(MISMATCH[0]),
  )
  command.option(
    '--peaks <file>',
    'BED or narrowPeak: also write where counts of alleles stand among those of peaks',
  )
  command.option('--out <file>', 'the table, FILE.tsv; or else the beginning of the names of all files')
  return addComparisonOptions(command)
}

async function variants(
  path: string,
  options: VariantArguments,
  parameters: Parameters,
  signal: AbortSignal,
): Promise<void> {
  const reporter = createReporter(options.json === true)
  const job = await openVariantJob(path, options, parameters, signal)
  try {
    const { paths, facts, parameters: file, ...done } = await runJob(job, options, reporter, signal)
    const { variants: count } = facts as { variants: number }
    const { seconds } = done
    reporter.result(
      () =>
        `${count} variants in ${seconds.toFixed(1)} s, ${(count / seconds).toFixed(1)} per second: ${paths.join(', ')}`,
      { ...facts, ...done, variantsPerSecond: count / seconds, files: paths, parameters: file },
    )
  } finally {
    await job.close()
  }
}
