// The demo: real contribution scores of a small trained network on 1,000 sequences whose answer is known.
//
// For each task, AUROC of the per-position scores: do positions inside embedded motifs score higher than those
// outside, among the sequences that are positive for the task? Once for DeepLIFT, once for gradient × input.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { contributionLogo, DeepLift, dinucleotideShuffle, readFasta } from 'deeplift'

const here = fileURLToPath(new URL('.', import.meta.url))
const outputFolder = join(here, 'output')
const TASKS = ['both', 'GATA1', 'TAL1']
/** Motifs that make a sequence positive, by task. */
const MOTIFS = { both: ['GATA1', 'TAL1'], GATA1: ['GATA1'], TAL1: ['TAL1'] }
const SHUFFLES = 20
const LETTERS = 4

const model = await DeepLift.load(join(here, 'model.onnx'))
const motifs = await readMotifs(join(here, 'motifs.bed'))
const target = TASKS.map((_, index) => ({ output: 'logits', index }))

const deeplift = await score('DeepLIFT', {
  target,
  rule: 'genomics-default',
  references: dinucleotideShuffle({ count: SHUFFLES, seed: 1 }),
})
const gradient = await score('gradient × input', { target, rule: 'gradient', multiplyBy: 'input' })

const { sequences } = deeplift
const pairs = sequences.length * SHUFFLES
console.log(`
${sequences.length} sequences × ${SHUFFLES} dinucleotide shuffles × ${TASKS.length} tasks, rule genomics-default
  time                ${deeplift.seconds.toFixed(1)} s
  sequences/s         ${(sequences.length / deeplift.seconds).toFixed(0)}
  pairs/s             ${(pairs / deeplift.seconds).toFixed(0)}
  worst completeness  ${deeplift.worst.toExponential(1)}  (|sum of contributions - difference of the output|, relative)

Do scores find the embedded motifs?  (AUROC of positions, positive sequences)
  task    DeepLIFT  gradient × input`)
for (const [task, name] of TASKS.entries()) {
  const [ours, theirs] = [deeplift, gradient].map((result) => auroc(task, result).toFixed(3))
  console.log(`  ${name.padEnd(6)}  ${ours.padEnd(8)}  ${theirs}`)
}

const example = richest()
await mkdir(outputFolder, { recursive: true })
for (const task of ['GATA1', 'TAL1']) await drawLogo(example, task)

async function score(name, options) {
  const sequences = []
  const scores = []
  const started = performance.now()
  let worst = 0
  for await (const batch of model.stream(readFasta(join(here, 'sequences.fa')), options)) {
    sequences.push(...batch.records)
    scores.push(...perPosition(batch.contributions.sequence))
    worst = Math.max(worst, batch.worstCompleteness)
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${name}: ${sequences.length} sequences`)
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K')
  return { sequences, scores, worst, seconds: (performance.now() - started) / 1000 }
}

/** Sums contributions [n, tasks, 4, length] over letters: for each example, one array of positions per task. */
function perPosition({ data, shape: [examples, tasks, , length] }) {
  return Array.from({ length: examples }, (_, example) =>
    Array.from({ length: tasks }, (_, task) => {
      const start = (example * tasks + task) * LETTERS * length
      return Float32Array.from({ length }, (_, position) => {
        let sum = 0
        for (let letter = 0; letter < LETTERS; letter++) sum += data[start + letter * length + position]
        return sum
      })
    }),
  )
}

async function readMotifs(path) {
  const bySequence = new Map()
  for (const line of (await readFile(path, 'utf8')).trim().split('\n')) {
    const [sequence, start, end, label] = line.split('\t')
    if (!bySequence.has(sequence)) bySequence.set(sequence, [])
    bySequence.get(sequence).push({ start: Number(start), end: Number(end), label })
  }
  return bySequence
}

function motifsOf(sequence, labels) {
  return (motifs.get(sequence.name) ?? []).filter(({ label }) => labels.includes(label))
}

/** Probability that a position inside a motif of the task scores higher than one outside; ties count half. */
function auroc(task, { scores }) {
  const labels = MOTIFS[TASKS[task]]
  const points = []
  for (const [index, sequence] of sequences.entries()) {
    const embedded = motifsOf(sequence, labels)
    if (!labels.every((label) => embedded.some((motif) => motif.label === label))) continue
    for (const [position, value] of scores[index][task].entries()) {
      const inside = embedded.some(({ start, end }) => position >= start && position < end)
      points.push({ value, inside })
    }
  }
  points.sort((a, b) => a.value - b.value)
  let rankSum = 0
  let positives = 0
  for (let first = 0; first < points.length; ) {
    let end = first
    while (end < points.length && points[end].value === points[first].value) end++
    const rank = (first + 1 + end) / 2
    for (const { inside } of points.slice(first, end)) {
      if (!inside) continue
      positives++
      rankSum += rank
    }
    first = end
  }
  const negatives = points.length - positives
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives)
}

/** The first sequence with the most motifs of the rarer kind: it shows both tasks. */
function richest() {
  const count = (sequence) =>
    Math.min(...['GATA1', 'TAL1'].map((label) => motifsOf(sequence, [label]).length))
  return sequences.reduce(
    (best, sequence, index) => (count(sequence) > count(sequences[best]) ? index : best),
    0,
  )
}

async function drawLogo(index, taskName) {
  const sequence = sequences[index]
  const svg = contributionLogo({
    codes: sequence.codes,
    scores: deeplift.scores[index][TASKS.indexOf(taskName)],
    title: `${sequence.name}: contributions to task ${taskName}`,
    motifs: motifsOf(sequence, ['GATA1', 'TAL1']),
  })
  const path = join(outputFolder, `${sequence.name}-${taskName}.svg`)
  await writeFile(path, svg)
  console.log(`\n${sequence.name}, task ${taskName}: ${relative(process.cwd(), path)}`)
  console.log(terminalLogo(sequence, deeplift.scores[index][TASKS.indexOf(taskName)]))
}

/** Positive contributions as bars over the bases of the best-scoring stretch, with the embedded motifs below. */
function terminalLogo(sequence, scores) {
  const width = Math.min(scores.length, 72)
  const total = (start) => scores.subarray(start, start + width).reduce((sum, value) => sum + value, 0)
  const starts = Array.from({ length: scores.length - width + 1 }, (_, start) => start)
  const start = starts.reduce((best, each) => (total(each) > total(best) ? each : best), 0)
  const bars = ' ▁▂▃▄▅▆▇█'
  const largest = Math.max(...scores)
  const line = (glyph) => `  ${Array.from({ length: width }, (_, i) => glyph(start + i)).join('')}`
  const motifAt = (position) =>
    motifsOf(sequence, MOTIFS.both).find((motif) => position >= motif.start && position < motif.end)
  return [
    line((position) => bars[Math.max(0, Math.round((scores[position] / largest) * (bars.length - 1)))]),
    line((position) => 'ACGTN'[sequence.codes[position]]),
    line((position) => motifAt(position)?.label.padEnd(10, '-')[position - motifAt(position).start] ?? ' '),
  ].join('\n')
}
