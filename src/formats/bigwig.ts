/**
 * The contributions along the genome as bigWig, for browsers. Beside it are `FILE.json`, with provenance and
 * quantiles, and `FILE.igv.json`, which opens it in igv.js.
 *
 * Where windows overlap, each position takes the window whose summit is nearest, as ChromBPNet does: windows are
 * sorted, and neighbours are cut at the midpoint of their summits. Rows come in any order; they wait in a temporary
 * file, so that memory holds where each lies and not its values.
 */

import { type FileHandle, open } from 'node:fs/promises'
import { DeepLiftError } from '../errors.js'
import { BigWigWriter } from '../io/bigwig-write.js'
import { OutputFile, writeText } from '../io/files.js'
import { igvSession } from './igv-session.js'
import { Quantiles } from './quantiles.js'
import type { FileOptions, RowsWriter, SequenceRows } from './rows.js'
import { SiteList } from './site-list.js'

/** What ChromBPNet prints beside its tracks. */
const FRACTIONS = [0.001, 0.01, 0.5, 0.99, 0.999, 0.9995, 0.9999]

/** Windows that are read from the temporary file at once. */
const READS_IN_FLIGHT = 64

/** A stretch `[from, to)` of a chromosome that takes the values of one row. */
export interface Stretch {
  row: number
  chrom: string
  from: number
  to: number
}

/**
 * The stretches of the windows, in the order of chromosomes and positions, without overlaps.
 *
 * @param sites In any order; each at least touches its chromosome.
 */
export function* stretches(sites: SiteList, sizes: ReadonlyMap<string, number>): Generator<Stretch> {
  const order = sites.order(sizes.keys())
  let chrom: string | undefined
  let done = 0
  for (const [index, row] of order.entries()) {
    const site = sites.at(row)!
    if (site.chrom !== chrom) {
      chrom = site.chrom
      done = 0
    }
    const neighbour = index + 1 < order.length ? sites.at(order[index + 1]!) : undefined
    const overlaps = neighbour?.chrom === chrom && neighbour.start < site.end
    const cut = overlaps ? Math.floor((site.summit + neighbour.summit) / 2) : site.end
    const from = Math.max(done, site.start)
    const to = Math.min(cut, site.end, sizes.get(site.chrom)!)
    if (from < to) {
      yield { row, chrom: site.chrom, from, to }
      done = to
    }
  }
}

export class BigWigRowsWriter implements RowsWriter {
  readonly paths: readonly string[]
  readonly needs = { hypothetical: false, sites: true }
  readonly #sites = new SiteList()
  #length = 0
  #rows: OutputFile | undefined
  #writer: BigWigWriter | undefined

  /** @param genome With the lengths of chromosomes by name, in the order that tracks have. */
  constructor(
    private readonly path: string,
    private readonly genome: { path: string; sizes: ReadonlyMap<string, number> },
    private readonly options: FileOptions,
  ) {
    this.paths = [path, `${path}.json`, `${path}.igv.json`]
  }

  async write({ projected, sites, length }: SequenceRows): Promise<void> {
    this.#rows ??= await OutputFile.create(`${this.path}.rows`)
    this.#length = length
    for (const site of sites!) {
      if (!this.genome.sizes.has(site.chrom))
        throw new DeepLiftError('INVALID_INPUT', `${this.path}: the genome has no chromosome ${site.chrom}.`)
      this.#sites.push(site)
    }
    await this.#rows.append(new Uint8Array(projected.buffer, projected.byteOffset, projected.byteLength))
  }

  async finish(): Promise<void> {
    const rows = this.#rows!
    await rows.close()
    const handle = await open(rows.temporaryPath, 'r')
    const quantiles = new Quantiles([0, ...FRACTIONS, 1])
    try {
      this.#writer = await BigWigWriter.create(this.path, this.genome.sizes)
      for await (const { chrom, from, values } of this.#values(handle)) {
        await this.#writer.append(chrom, from, values)
        quantiles.add(values)
      }
      for await (const { values } of this.#values(handle)) quantiles.refine(values)
    } finally {
      await handle.close()
    }
    await writeText(this.paths[1]!, this.#description(quantiles))
    await writeText(this.paths[2]!, igvSession(this.path, this.genome.path, this.#locus()))
    await this.#writer.finish()
    await rows.discard()
  }

  async *#values(handle: FileHandle): AsyncGenerator<{ chrom: string; from: number; values: Float32Array }> {
    let group: Promise<{ chrom: string; from: number; values: Float32Array }>[] = []
    for (const stretch of stretches(this.#sites, this.genome.sizes)) {
      group.push(this.#read(handle, stretch))
      if (group.length < READS_IN_FLIGHT) continue
      yield* await Promise.all(group)
      group = []
    }
    yield* await Promise.all(group)
  }

  async #read(handle: FileHandle, { row, chrom, from, to }: Stretch) {
    const values = new Float32Array(to - from)
    const first = row * this.#length + from - this.#sites.at(row)!.start
    const bytes = new Uint8Array(values.buffer)
    for (let done = 0; done < bytes.length; ) {
      const { bytesRead } = await handle.read(bytes, done, bytes.length - done, 4 * first + done)
      if (bytesRead === 0) throw new DeepLiftError('INTERNAL', `${this.path}: its rows end too early.`)
      done += bytesRead
    }
    return { chrom, from, values }
  }

  #description(quantiles: Quantiles): string {
    const { count } = quantiles
    const at = (fraction: number) => quantiles.at(fraction)
    const scores = count > 0 && {
      positions: count,
      minimum: at(0),
      quantiles: Object.fromEntries(FRACTIONS.map((fraction) => [fraction, at(fraction)])),
      maximum: at(1),
    }
    const provenance = JSON.parse(this.options.provenance) as unknown
    return `${JSON.stringify({ provenance, scores }, null, 2)}\n`
  }

  /** The first window of the input. */
  #locus(): string {
    const first = this.#sites.at(0)
    return first ? `${first.chrom}:${Math.max(0, first.start) + 1}-${first.end}` : 'all'
  }

  async abort(): Promise<void> {
    await this.#rows?.discard()
    await this.#writer?.abort()
  }
}
