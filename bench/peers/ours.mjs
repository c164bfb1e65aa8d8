// This package in a process of its own, with the commands and answers of peer.py.
//
//   node ours.mjs '{"model", "inputName", "output", "examples", "references", "input", "count", "threads", "precision"}'
import { readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { DeepLift } from '../../dist/index.js'
import { product } from '../onnx-network.mjs'

const job = JSON.parse(process.argv[2])
const { input, inputName, output, count, precision } = job
const examples = readFloats(job.examples)
const sequences = examples.length / product(input)
const pairs = sequences * count
const model = await DeepLift.load(job.model, { threads: job.threads })
const values = { [inputName]: { data: examples, shape: [sequences, ...input] } }
const perExample = { data: readFloats(job.references), shape: [sequences, count, ...input] }
const options = { target: { output, index: 0 }, references: { perExample }, precision }

const commands = {
  async time({ seconds }) {
    const start = performance.now()
    let [calls, spent] = [0, 0]
    while (calls === 0 || spent < seconds * 1e3) {
      await model.score(values, options)
      calls++
      spent = performance.now() - start
    }
    return { ms: spent / (calls * pairs) }
  },
  async scores({ to }) {
    const { contributions } = await model.score(values, options)
    writeFileSync(to, Float32Array.from(contributions[inputName].data))
    return {}
  },
  // KiB, on every system.
  memory: () => ({ peakMB: (process.resourceUsage().maxRSS * 1024) / 1e6 }),
  async describe() {
    const { isa, flopsPerPass } = await model.describe({ target: options.target })
    return { isa, flopsPerPass }
  },
}

answer({})
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line)
  answer(await commands[command.do](command))
}

function answer(result) {
  process.stdout.write(`${JSON.stringify(result)}\n`)
}

function readFloats(path) {
  const bytes = readFileSync(path)
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
}
