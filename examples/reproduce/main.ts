/** `npm run reproduce -- --data <folder> [--evaluation <folder>] [--out <folder>]` */

import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { checkFonts } from './figures/render.js'
import { writeReport } from './report/write.js'
import { reproduce } from './reproduce.js'

const USAGE = `npm run reproduce -- --data <folder> [--evaluation <folder>] [--out <folder>]

  --data        the authors' networks as ONNX, MNIST test images, simulated sequences
  --evaluation  holds genomics/pwm.json, the matrices of the two motifs; default <data>/../conformance/evaluation
  --out         where tables and figures go; default reproduction`

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    evaluation: { type: 'string' },
    out: { type: 'string', default: 'reproduction' },
    help: { type: 'boolean', short: 'h' },
  },
})
if (values.help || values.data === undefined) {
  console.error(USAGE)
  process.exit(values.help ? 0 : 2)
}
const evaluation = values.evaluation ?? join(values.data, '..', 'conformance', 'evaluation')
const out = resolve(values.out)

checkFonts()
const result = await reproduce(values.data, evaluation, (line) => console.error(line))
await writeReport(out, result)

const { comparisons, claims, failures } = result.ledger
console.log(
  `${comparisons.length} numbers and ${claims.length} claims compared; ${relative('.', out)} has them all`,
)
for (const failure of failures) console.log(`does not hold: ${failure}`)
if (failures.length > 0) process.exitCode = 1
