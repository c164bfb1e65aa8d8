/**
 * Where effects of mutations go. One .npz archive: `effects`, `output`; `sequences`, base codes, where they came as letters
 * or codes; `names` of examples that have some; `provenance`, a JSON text. Or one .npy array of effects with `FILE.json`
 * beside it.
 */

import { writeText } from '../../io/files.js'
import { NpyWriter } from '../../io/npy-write.js'
import { type NpzRows, NpzWriter } from '../../io/npz-write.js'
import type { MutagenesisBatch } from '../../mutagenesis.js'
import type { FloatArray } from '../../native.js'
import { checkChoice } from '../../options/check.js'
import type { Tensor } from '../../tensor.js'
import { sequencesOf } from './npz.js'
import type { ScoredRecord, Sink } from './sink.js'

export const MUTAGENESIS_FORMATS = ['npz', 'npy'] as const
export type MutagenesisFormat = (typeof MUTAGENESIS_FORMATS)[number]

type Batch = MutagenesisBatch<ScoredRecord>

/** The format asked for, or else the one that the name of the file tells. */
export function chooseMutagenesisFormat(options: { format?: string; out: string }): MutagenesisFormat {
  const { format, out } = options
  if (format !== undefined) return checkChoice(format, MUTAGENESIS_FORMATS, '--format')
  return out.endsWith('.npy') ? 'npy' : 'npz'
}

export interface MutagenesisContext {
  out: string
  provenance: string
  compress: boolean
  /** The input whose letters are changed. */
  input: string
}

export function createMutagenesisSink(format: MutagenesisFormat, context: MutagenesisContext): Sink<Batch> {
  return format === 'npz' ? new EffectArchive(context) : new EffectArray(context)
}

const dtypeOf = (data: FloatArray) => (data instanceof Float64Array ? 'float64' : 'float32')

class EffectArchive implements Sink<Batch> {
  readonly paths: readonly string[]
  #writer: NpzWriter | undefined
  #named = false

  constructor(private readonly context: MutagenesisContext) {
    this.paths = [context.out]
  }

  async write({ effects, output, records }: Batch): Promise<void> {
    const arrays: [string, Tensor<FloatArray | Uint8Array>][] = [
      ['effects', effects],
      ['output', output],
    ]
    const sequences = sequencesOf(records, this.context.input)
    if (sequences) arrays.push(['sequences', sequences])
    if (!this.#writer) {
      const rows = arrays.map(
        ([key, { data, shape }]): NpzRows => ({
          key,
          dtype: data instanceof Uint8Array ? 'uint8' : dtypeOf(data),
          rowShape: shape.slice(1),
        }),
      )
      this.#named = records[0]?.name !== undefined
      if (this.#named) rows.push({ key: 'names', dtype: 'string', rowShape: [] })
      const { out, compress } = this.context
      this.#writer = await NpzWriter.create(out, rows, { compress })
    }
    for (const [key, { data }] of arrays) await this.#writer.append(key, data)
    if (this.#named)
      await this.#writer.append(
        'names',
        records.map(({ name = '' }) => name),
      )
  }

  async finish(): Promise<void> {
    this.#writer!.put('provenance', { dtype: 'string', shape: [], data: [this.context.provenance] })
    await this.#writer!.finish()
  }

  async abort(): Promise<void> {
    await this.#writer?.abort()
  }
}

class EffectArray implements Sink<Batch> {
  readonly paths: readonly string[]
  #writer: NpyWriter | undefined

  constructor(private readonly context: MutagenesisContext) {
    this.paths = [context.out, `${context.out}.json`]
  }

  async write({ effects: { data, shape } }: Batch): Promise<void> {
    this.#writer ??= await NpyWriter.create(this.context.out, dtypeOf(data), shape.slice(1))
    await this.#writer.write(data)
  }

  async finish(): Promise<void> {
    await writeText(this.paths[1]!, `${this.context.provenance}\n`)
    await this.#writer!.finish()
  }

  async abort(): Promise<void> {
    await this.#writer?.abort()
  }
}
