// Our side of bench:io. Called with the folder of the files and the name of a case; prints `{ ms, answer }`.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const dist = new URL('../../dist/', import.meta.url)
const load = async (path) => await import(new URL(path, dist))
const [folder, name] = process.argv.slice(2)
const at = (file) => join(folder, file)
const { rows, length, windows } = JSON.parse(readFileSync(at('sizes.json'), 'utf8'))

const floats = () => new Float32Array(new Uint8Array(readFileSync(at('scores.f32'))).buffer)
const codes = () => new Uint8Array(readFileSync(at('codes.u8')))
/** What both sides must have read: a sum in which places count. */
const digest = (values) => {
  let sum = 0
  for (let index = 0; index < values.length; index += 7) sum += values[index] * ((index % 11) + 1)
  return sum
}

/** Each prepares what is not timed, and returns the work, which returns what was read. */
const CASES = {
  async 'windows of a FASTA file'() {
    const { Genome } = await load('index.js')
    const places = readFileSync(at('windows.bed'), 'utf8').trim().split('\n')
    const regions = places
      .map((line) => line.split('\t'))
      .map(([chrom, ...ends]) => [chrom, ...ends.map(Number)])
    return async () => {
      const genome = await Genome.open(at('genome.fa'))
      const all = new Uint8Array(windows * length)
      for (const [index, [chrom, start, end]] of regions.entries())
        all.set(await genome.codes(chrom, start, end), index * length)
      await genome.close()
      return digest(all)
    }
  },
  async 'read .npz'() {
    const { readNpz } = await load('index.js')
    return async () => digest((await readNpz(at('scores.npz'))).scores.data)
  },
  async 'write .npz'() {
    const { NpzWriter } = await load('index.js')
    const values = floats()
    return async () => {
      const spec = { key: 'scores', dtype: 'float32', rowShape: [4, length] }
      const writer = await NpzWriter.create(at('ours.npz'), [spec])
      for (const batch of batches(values)) await writer.append('scores', batch)
      await writer.finish()
      return 0
    }
  },
  async 'read HDF5'() {
    const { Hdf5File } = await load('io/hdf5-read.js')
    return async () => {
      const file = await Hdf5File.open(at('scores.h5'))
      let sum = 0
      for (let row = 0; row < rows; row += ROWS_AT_ONCE)
        sum += digest(file.readRows('shap/seq', row, Math.min(rows, row + ROWS_AT_ONCE)))
      file.close()
      return sum
    }
  },
  'write HDF5': async () => await writeHdf5({}),
  'write HDF5, deflated': async () => await writeHdf5({ compress: true }),
  async 'write bigWig'() {
    const { BigWigWriter } = await load('io/bigwig-write.js')
    const values = floats().subarray(0, rows * length)
    return async () => {
      const writer = await BigWigWriter.create(at('ours.bw'), new Map([['chr1', 2 * rows * length]]))
      for (let row = 0; row < rows; row++)
        await writer.append('chr1', 2 * row * length, values.subarray(row * length, (row + 1) * length))
      await writer.finish()
      return 0
    }
  },
}

/** What `convert` reads at once. */
const ROWS_AT_ONCE = 248

/** What a job hands over at once. */
const ROWS_PER_BATCH = 50

function* batches(values) {
  const size = ROWS_PER_BATCH * 4 * length
  for (let start = 0; start < values.length; start += size) yield values.subarray(start, start + size)
}

async function writeHdf5(options) {
  const { Hdf5RowsWriter } = await load('formats/hdf5.js')
  const { oneHotOfCodes } = await load('formats/rows.js')
  const values = floats()
  const letters = oneHotOfCodes(codes(), length)
  return async () => {
    const writer = new Hdf5RowsWriter(at('ours.h5'), 'chrombpnet', { provenance: '{}', ...options })
    const size = ROWS_PER_BATCH * 4 * length
    for (const [index, hypothetical] of [...batches(values)].entries()) {
      const oneHot = letters.subarray(index * size, index * size + hypothetical.length)
      await writer.write({ length, oneHot, hypothetical })
    }
    await writer.finish()
    return 0
  }
}

const work = await CASES[name]()
// Loads and compiles what it needs; files grow larger than these.
await work()
const started = performance.now()
const answer = await work()
const ms = performance.now() - started
console.log(JSON.stringify({ ms, answer }))
