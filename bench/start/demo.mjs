// What is scored: the first sequence of the demo beside 20 shuffles.
import { fileURLToPath } from 'node:url'

const demo = (name) => fileURLToPath(new URL(`../../examples/demo/${name}`, import.meta.url))

export const MODEL = demo('model.onnx')
export const SEQUENCES = demo('sequences.fa')
export const OUTPUT = 'logits'
export const RULE = 'genomics-default'
export const SHUFFLES = 20
