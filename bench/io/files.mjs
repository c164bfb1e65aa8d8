// The files that both sides of bench:io read, the same bytes every time.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { NpzWriter } from '../../dist/index.js'
import { Hdf5Writer } from '../../dist/io/hdf5-write.js'

const CHROMOSOMES = 2
const LINE = 60

/** Writes them for `rows` sequences of `length`, and `windows` places on chromosomes of `bases`. */
export async function makeFiles(folder, { rows, length, windows, bases }) {
  const at = (name) => join(folder, name)
  const next = random(1)
  writeFileSync(at('sizes.json'), JSON.stringify({ rows, length, windows }))
  let fasta = ''
  for (let chrom = 1; chrom <= CHROMOSOMES; chrom++) {
    fasta += `>chr${chrom}\n`
    for (let done = 0; done < bases; done += LINE) {
      let line = ''
      for (let base = 0; base < LINE; base++) line += 'ACGTacgt'[Math.floor(next() * 8)]
      fasta += `${line}\n`
    }
  }
  writeFileSync(at('genome.fa'), fasta)
  const places = Array.from({ length: windows }, (_, index) => {
    const start = Math.floor(next() * (bases - length))
    return `chr${1 + (index % CHROMOSOMES)}\t${start}\t${start + length}\n`
  })
  writeFileSync(at('windows.bed'), places.join(''))
  writeFileSync(
    at('codes.u8'),
    Uint8Array.from({ length: rows * length }, () => Math.floor(next() * 4)),
  )
  const scores = Float32Array.from({ length: rows * 4 * length }, () => (next() - 0.5) ** 3)
  writeFileSync(at('scores.f32'), new Uint8Array(scores.buffer))

  const npz = await NpzWriter.create(at('scores.npz'), [
    { key: 'scores', dtype: 'float32', rowShape: [4, length] },
  ])
  await npz.append('scores', scores)
  await npz.finish()
  const hdf5 = await Hdf5Writer.create(at('scores.h5'), [
    { path: 'shap/seq', dtype: 'float32', rowShape: [4, length] },
  ])
  await hdf5.append('shap/seq', scores)
  await hdf5.finish()
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
