// What the benchmark needs beyond the package: it is installed into bench/ on the first run of a benchmark.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('../node_modules/onnxruntime-node', import.meta.url))

export const installed = existsSync(FOLDER)
if (!installed)
  console.warn('Tests that run benchmarks are skipped: install what they need with `npm --prefix bench ci`')
