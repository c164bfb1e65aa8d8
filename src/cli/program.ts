/** The commands and their options. */

import { Command } from 'commander'
import { addConvertCommand } from './commands/convert.js'
import { addDoctorCommand } from './commands/doctor.js'
import { addInspectCommand } from './commands/inspect.js'
import { addIsmCommand } from './commands/ism.js'
import { addMarginalizeCommand } from './commands/marginalize.js'
import { addMergeCommand } from './commands/merge.js'
import { addPlanCommand } from './commands/plan.js'
import { addPredictCommand } from './commands/predict.js'
import { addReportCommand } from './commands/report.js'
import { addScoreCommand } from './commands/score.js'
import { addSeqletsCommand } from './commands/seqlets.js'
import { addShardCommand } from './commands/shard.js'
import { addShuffleCommand } from './commands/shuffle.js'
import { addStatusCommand } from './commands/status.js'
import { addVariantsCommand } from './commands/variants.js'
import { version } from './version.js'

export function createProgram(): Command {
  const program = new Command('deeplift')
    .description('DeepLIFT contribution scores of ONNX models')
    .version(version)
    .showSuggestionAfterError()
    .exitOverride()
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 a defect or a broken installation, 2 a wrong argument or option,\n' +
        '3 a model or file that cannot be used, 130 interrupted, 143 ended by SIGTERM.',
    )
  addInspectCommand(program)
  addScoreCommand(program)
  addPredictCommand(program)
  addIsmCommand(program)
  addPlanCommand(program)
  addShardCommand(program)
  addStatusCommand(program)
  addMergeCommand(program)
  addVariantsCommand(program)
  addMarginalizeCommand(program)
  addConvertCommand(program)
  addSeqletsCommand(program)
  addShuffleCommand(program)
  addReportCommand(program)
  addDoctorCommand(program)
  for (const command of program.commands) command.exitOverride()
  return program
}
