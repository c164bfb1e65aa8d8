/** Whether a genome is the one that a job was planned with, without reading all of it. */

import { createHash } from 'node:crypto'
import type { Genome } from '../../genomics/genome.js'
import { formatSizes } from './region-list.js'

export interface GenomeIdentity {
  /** SHA-256 of names and lengths of chromosomes. */
  sha256: string
  /** SHA-256 of base codes at evenly spread places: the same for any file format. */
  samples: string
}

const SAMPLES = 256
/** Bases of a sample. */
const SAMPLE = 4096

export async function genomeIdentity(genome: Genome): Promise<GenomeIdentity> {
  const sha256 = createHash('sha256').update(formatSizes(genome.sizes)).digest('hex')
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
  return { sha256, samples: samples.digest('hex') }
}
