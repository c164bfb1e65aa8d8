// A process of its own: the first score of the demo model, and when each step towards it was done, in ms since the
// process started.
import { writeSync } from 'node:fs'
import { MODEL, OUTPUT, RULE, SEQUENCES, SHUFFLES } from './demo.mjs'

const marks = { node: performance.now() }
const { DeepLift, dinucleotideShuffle, readFasta } = await import('../../dist/index.js')
marks.modules = performance.now()
const model = await DeepLift.load(MODEL)
marks.model = performance.now()
const options = {
  target: { output: OUTPUT, index: 0 },
  rule: RULE,
  references: dinucleotideShuffle({ count: SHUFFLES, seed: 1 }),
}
await model.describe(options)
marks.plan = performance.now()
const batches = model.stream(readFasta(SEQUENCES), { ...options, batchSize: 1 })
const { value } = await batches.next()
marks.score = performance.now()
// At once, not when the loop of events comes to it.
writeSync(1, `${JSON.stringify({ marks, worstCompleteness: value.worstCompleteness })}\n`)
await batches.return()
