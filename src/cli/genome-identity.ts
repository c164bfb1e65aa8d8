/** Whether a genome is the one that a job was planned with, without reading all of it. */

import { createHash } from 'node:crypto'
import type { Genome } from '../genomics/genome.js'
import type { Fact } from './jobs/job.js'

const SAMPLES = 256
/** Bases of a sample. */
const SAMPLE = 4096

/** SHA-256 of names and lengths of chromosomes. */
export function sizesIdentity({ sizes }: Genome): string {
  const text = [...sizes].map(([name, size]) => `${name}\t${size}\n`).join('')
  return createHash('sha256').update(text).digest('hex')
}

/** The lengths, and base codes at evenly spread places: the same for any file format. */
export async function genomeIdentity(genome: Genome): Promise<Fact[]> {
  let total = 0
  for (const size of genome.sizes.values()) total += size
  const samples = createHash('sha256')
  let [before, next] = [0, 0]
  for (const [chrom, size] of genome.sizes) {
    for (; next < SAMPLES; next++) {
      const start = Math.floor((next * total) / SAMPLES) - before
      if (start >= size) break
      samples.update(await genome.codes(chrom, start, Math.min(size, start + SAMPLE)))
    }
    before += size
  }
  return [
    ['chromosomes of the genome', sizesIdentity(genome)],
    ['genome, by its bases', samples.digest('hex')],
  ]
}
