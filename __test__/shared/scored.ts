/** Runs conformance cases: scores as maps per target and example, in the order that cases list them. */

import { join } from 'node:path'
import { DeepLift, type OutputName, type Precision, type References, type Scores } from '../../src/index.js'
import { sizeOf } from '../../src/tensor.js'
import { type FloatTensor, readTensor, takeRows } from './arrays.js'
import type { Case, Method } from './cases.js'

const models = new Map<string, Promise<DeepLift>>()

function loadModel(path: string): Promise<DeepLift> {
  let model = models.get(path)
  if (!model) {
    model = DeepLift.load(path)
    models.set(path, model)
  }
  return model
}

export interface Settings extends Method {
  precision: Precision
  outputs: readonly OutputName[]
  /** The examples to score; all by default. */
  examples?: readonly number[]
}

/** What `score` gave for one target of a case. */
export interface TargetScores {
  scores: Scores
  /** Position of the target among those scored with it. */
  slot: number
}

/** One entry per target of the case. */
export async function scoreCase(each: Case, settings: Settings): Promise<TargetScores[]> {
  const { examples, ...options } = settings
  const model = await loadModel(join(each.folder, each.model.file))
  const inputs: Record<string, FloatTensor> = {}
  for (const { name, file } of each.inputs)
    inputs[name] = takeRows(await readTensor(join(each.folder, file)), examples)
  const references: Record<string, References> = {}
  for (const { name, file, broadcast } of each.references.files) {
    const tensor = await readTensor(join(each.folder, file))
    references[name] = broadcast ? { shared: tensor } : { perExample: takeRows(tensor, examples) }
  }
  const scores = await model.score(inputs, {
    ...options,
    // Stored values are those of the outputs themselves, probabilities included.
    peel: false,
    references: references as References,
    target: each.targets.map(({ tensor, index }) => ({ output: tensor, index })),
  })
  return each.targets.map((_, slot) => ({ scores, slot }))
}

/** The scores of one target and example, `[…]`, or `[R, …]` per reference. */
export function scoreMap(
  { scores, slot }: TargetScores,
  output: OutputName,
  input: string,
  example: number,
): FloatTensor {
  const { data, shape } = scores[output][input]!
  const [references, targets, ...axes] = output === 'perReference' ? shape.slice(1) : [1, ...shape.slice(1)]
  const size = sizeOf(axes)
  const map = data.slice(0, references! * size)
  for (let reference = 0; reference < references!; reference++) {
    const from = ((example * references! + reference) * targets! + slot) * size
    map.set(data.subarray(from, from + size), reference * size)
  }
  return { data: map, shape: output === 'perReference' ? [references!, ...axes] : axes }
}
