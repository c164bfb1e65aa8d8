/**
 * Where effects of mutations go. One .npz archive: `effects`, `output`; `sequences`, base codes, where they came as letters
 * or codes; `names` of examples that have some; `provenance`, a JSON text. Or one .npy array of effects with `FILE.json`
 * beside it.
 */

import { writeText } from '../../io/files.js'
import { NpyWriter } from '../../io/npy-write.js'
import type { MutagenesisBatch } from '../../mutagenesis.js'
import type { FloatArray } from '../../native.js'
import { checkChoice } from '../../options/check.js'
import type { Tensor } from '../../tensor.js'
import type { Results } from '../jobs/job.js'
import { ArchiveSink, sequencesOf } from './npz.js'
import type { ScoredRecord, Sink } from './sink.js'

export const MUTAGENESIS_FORMATS = ['npz', 'npy'] as const
export type MutagenesisFormat = (typeof MUTAGENESIS_FORMATS)[number]

type Batch = Results<MutagenesisBatch<ScoredRecord>>

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
  if (format === 'npy') return new EffectArray(context)
  return new ArchiveSink(context, ({ effects, output, records }: Batch) => {
    const arrays = new Map<string, Tensor<FloatArray | Uint8Array>>([
      ['effects', effects],
      ['output', output],
    ])
    const sequences = sequencesOf(records, context.input)
    return sequences ? arrays.set('sequences', sequences) : arrays
  })
}

const dtypeOf = (data: FloatArray) => (data instanceof Float64Array ? 'float64' : 'float32')

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
