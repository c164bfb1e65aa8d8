/**
 * Experiment B, paper section 4.2 and figures 5 and 6: a network that has learned where TAL1 and GATA1 motifs are,
 * and whether both are (task 0), is asked which bases it looked at. Where they are is known.
 */

import { join } from 'node:path'
import { DeepLift } from 'deeplift'
import { auroc, median, sum } from '../statistics.js'
import { METHODS, type Method } from './methods.js'
import { bestMatches, type Match, type Motif, readMotifs, STRONG } from './motifs.js'
import { LENGTH, LETTERS, type MotifName, readTestSequences, TASKS, type TestSequence } from './sequences.js'

export interface SequenceMatch extends Match {
  /** Number of the sequence within the test set. */
  sequence: number
  motif: MotifName
}

export interface MethodScores {
  method: Method
  /** Contributions summed over letters, `[sequence, task, position]`. */
  positions: Float64Array
  /** Largest |sum of contributions − difference of the logit| over sequences and tasks. */
  residual: number
}

export interface Genomics {
  sequences: TestSequence[]
  motifs: Motif[]
  matches: SequenceMatch[]
  scores: MethodScores[]
  /** Of the network, by task. */
  auroc: number[]
}

/** @param motifFolder holds `genomics/pwm.json` */
export async function motifExperiment(
  folder: string,
  motifFolder: string,
  log: (line: string) => void,
): Promise<Genomics> {
  const model = await DeepLift.load(join(folder, 'deeplift_genomics.onnx'))
  const sequences = await readTestSequences(folder)
  const motifs = await readMotifs(motifFolder)
  const matches = sequences.flatMap(({ codes }, sequence) =>
    motifs.flatMap((motif) =>
      bestMatches(codes, motif).map((match) => ({ ...match, sequence, motif: motif.name })),
    ),
  )
  const scores: MethodScores[] = []
  for (const method of METHODS) {
    scores.push(await scoreAll(model, sequences, method))
    log(`genomics: ${method.label}`)
  }
  return { sequences, motifs, matches, scores, auroc: await testAuroc(model, sequences) }
}

function batchOf(sequences: readonly TestSequence[]) {
  const data = new Uint8Array(sequences.length * LENGTH)
  for (const [index, { codes }] of sequences.entries()) data.set(codes, index * LENGTH)
  return { x: { data, shape: [sequences.length, LENGTH] } }
}

function everyTask(output: string) {
  return Array.from({ length: TASKS }, (_, index) => ({ output, index }))
}

async function scoreAll(
  model: DeepLift,
  sequences: readonly TestSequence[],
  method: Method,
): Promise<MethodScores> {
  const scores = await model.score(batchOf(sequences), { target: everyTask('logits'), ...method.options })
  // [sequence, task, position, letter]
  const contributions = scores.contributions.x!.data
  const positions = Float64Array.from({ length: contributions.length / LETTERS }, (_, position) =>
    sum(contributions.subarray(position * LETTERS, (position + 1) * LETTERS)),
  )
  const residuals = Array.from(scores.output.data, (output, index) => {
    const difference = output - scores.referenceOutput.data[index]!
    return Math.abs(sum(positions.subarray(index * LENGTH, (index + 1) * LENGTH)) - difference)
  })
  return { method, positions, residual: Math.max(...residuals) }
}

/** Whether the network tells sequences of a task from others, by task. */
async function testAuroc(model: DeepLift, sequences: readonly TestSequence[]): Promise<number[]> {
  const options = { target: everyTask('probs'), references: 'zeros', outputs: [] } as const
  const { output } = await model.score(batchOf(sequences), options)
  return Array.from({ length: TASKS }, (_, task) =>
    auroc(
      sequences.map((_, index) => output.data[index * TASKS + task]!),
      sequences.map(({ region }) => region[task] === '1'),
    ),
  )
}

/** Total score of positions `[start, end)` of a sequence for a task. */
export function scoreOf(
  { positions }: MethodScores,
  { sequence, start, end }: { sequence: number; start: number; end: number },
  task: number,
): number {
  const first = (sequence * TASKS + task) * LENGTH
  return sum(positions.subarray(first + start, first + end))
}

/** Strong matches of a motif in the sequences that hold both motifs. */
export function strongMatches({ matches, sequences }: Genomics, motif: MotifName): SequenceMatch[] {
  return matches.filter(
    (match) =>
      match.motif === motif && match.logOdds >= STRONG && sequences[match.sequence]!.region === '111',
  )
}

export interface MotifSummary {
  motif: MotifName
  matches: number
  /** Strong matches whose total score is 0 or less for each task; for task 0, which needs both motifs, an error. */
  withoutScore: number[]
  /** Median score of strong matches, by task. */
  medians: number[]
}

export function summarise(result: Genomics, scores: MethodScores): MotifSummary[] {
  return result.motifs.map(({ name }) => {
    const strong = strongMatches(result, name)
    const totals = Array.from({ length: TASKS }, (_, task) =>
      strong.map((match) => scoreOf(scores, match, task)),
    )
    return {
      motif: name,
      matches: strong.length,
      withoutScore: totals.map((values) => values.filter((value) => value <= 0).length),
      medians: totals.map(median),
    }
  })
}
