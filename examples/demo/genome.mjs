// The demo on a genome: its sequences between random bases on two chromosomes, scored as the peaks of a BED file.
//
// The genome, the peaks and where the motifs lie are made here, the same bytes every time. Scores of the peaks must be
// those of the sequences themselves. They become HDF5 for TF-MoDISco, a track for genome browsers, and a report.
//
//   node examples/demo/genome.mjs [folder of the results]
import { execFileSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readFasta, readNpz } from 'deeplift'

const here = fileURLToPath(new URL('.', import.meta.url))
const output = resolve(process.argv[2] ?? join(here, 'output'))
const cli = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
/** Sequences on the first chromosome; the others are on the second. */
const FIRST = 600
/** Bases between two sequences, drawn evenly. */
const [SHORTEST, LONGEST] = [50, 400]
/** Cumulative frequencies of A, C, G, T, those of the background of the sequences. */
const BACKGROUND = [0.3, 0.5, 0.7, 1]

await mkdir(output, { recursive: true })
const places = await writeGenome()
await writeMotifs(places)
const model = join(here, 'model.onnx')
const reference = ['--reference', 'dinuc-shuffle:20']
const scoring = [
  '--target',
  'logits:0',
  ...reference,
  '--rule',
  'genomics-default',
  '--hypothetical',
  '--quiet',
]
const genome = ['--genome', at('genome.fa')]
const rows = ['--bed', at('regions.regions.bed')]
const peaks = ['--bed', at('peaks.narrowPeak'), ...genome]
deeplift('score', model, ...peaks, ...scoring, '--out', at('regions.npz'))
deeplift('score', model, '--fasta', join(here, 'sequences.fa'), ...scoring, '--out', at('sequences.npz'))
deeplift('convert', at('regions.npz'), at('regions.h5'), '--format', 'chrombpnet')
deeplift('convert', at('regions.npz'), at('track.bw'), ...rows, ...genome)
deeplift('report', at('regions.npz'), ...rows, '--out', at('report.html'))
await compare()

function at(name) {
  return join(output, name)
}

function deeplift(...args) {
  const text = execFileSync(process.execPath, [cli, ...args], { encoding: 'utf8' })
  console.log(text.trim().replaceAll(output, relative(process.cwd(), output)))
}

async function writeGenome() {
  const next = random(1)
  const places = new Map()
  const peaks = []
  const chromosomes = { chr1: [], chr2: [] }
  const lengths = { chr1: 0, chr2: 0 }
  const add = (chrom, text) => {
    chromosomes[chrom].push(text)
    lengths[chrom] += text.length
  }
  const spacer = () => {
    const length = SHORTEST + Math.floor(next() * (LONGEST - SHORTEST))
    return Array.from({ length }, () => base(next())).join('')
  }
  for await (const { name, codes } of readFasta(join(here, 'sequences.fa'))) {
    const chrom = places.size < FIRST ? 'chr1' : 'chr2'
    add(chrom, spacer())
    const start = lengths[chrom]
    places.set(name, { chrom, start })
    add(chrom, Array.from(codes, (code) => 'ACGT'[code]).join(''))
    const summit = codes.length / 2
    const columns = [chrom, start, start + codes.length, name, 0, '.', 0, -1, -1, summit]
    peaks.push(`${columns.join('\t')}\n`)
  }
  for (const chrom of Object.keys(chromosomes)) add(chrom, spacer())
  const fasta = Object.entries(chromosomes).map(([chrom, parts]) => {
    const lines = parts.join('').match(/.{1,60}/g)
    return `>${chrom}\n${lines.join('\n')}\n`
  })
  await writeFile(at('genome.fa'), fasta.join(''))
  await writeFile(at('peaks.narrowPeak'), peaks.join(''))
  return places
}

/** The embedded motifs in coordinates of the genome, to lay beside the track. */
async function writeMotifs(places) {
  const rows = (await readFile(join(here, 'motifs.bed'), 'utf8')).trim().split('\n')
  const moved = rows.map((row) => {
    const [sequence, start, end, ...rest] = row.split('\t')
    const { chrom, start: offset } = places.get(sequence)
    return `${[chrom, offset + Number(start), offset + Number(end), ...rest].join('\t')}\n`
  })
  await writeFile(at('motifs.bed'), moved.join(''))
}

async function compare() {
  const [onGenome, alone] = await Promise.all(
    ['regions.npz', 'sequences.npz'].map(async (name) => (await readNpz(at(name))).contributions),
  )
  const different = onGenome.data.findIndex((value, index) => value !== alone.data[index])
  if (onGenome.data.length !== alone.data.length || different >= 0)
    throw new Error(`scores of peaks and of sequences differ at value ${different}`)
  console.log(`\n${onGenome.shape[0]} peaks have the scores of their sequences, bit for bit.`)
}

/** A letter of the background for a number in [0, 1). */
function base(number) {
  return 'acgt'[BACKGROUND.findIndex((sum) => number < sum)]
}

/** Uniform numbers in [0, 1): the same for the same seed (mulberry32). */
function random(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
}
