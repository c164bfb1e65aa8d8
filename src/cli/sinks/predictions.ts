/** Where outputs of a model go: one .npz archive, one .npy array, or a table. */

import { DeepLiftError } from '../../errors.js'
import { OutputFile, writeText } from '../../io/files.js'
import { NpyWriter } from '../../io/npy-write.js'
import type { FloatArray } from '../../native.js'
import { checkChoice } from '../../options/check.js'
import type { PredictBatch } from '../../predict.js'
import { sizeOf, type Tensor } from '../../tensor.js'
import type { Results } from '../jobs/job.js'
import { ArchiveSink } from './npz.js'
import type { ScoredRecord, Sink } from './sink.js'

export const PREDICTION_FORMATS = ['npz', 'npy', 'tsv'] as const
export type PredictionFormat = (typeof PREDICTION_FORMATS)[number]

type Batch = Results<PredictBatch<ScoredRecord>>
export type PredictionSink = Sink<Batch>

/** The format asked for, or else the one that the name of the file tells. */
export function choosePredictionFormat(options: { format?: string; out: string }): PredictionFormat {
  const { format, out } = options
  if (format !== undefined) return checkChoice(format, PREDICTION_FORMATS, '--format')
  return PREDICTION_FORMATS.find((name) => out.endsWith(`.${name}`)) ?? 'npz'
}

export interface PredictionContext {
  out: string
  provenance: string
  compress: boolean
}

export function createPredictionSink(format: PredictionFormat, context: PredictionContext): PredictionSink {
  if (format === 'npz')
    return new ArchiveSink(
      context,
      ({ outputs }: Batch) => new Map(Object.entries(outputs).map(([name, tensor]) => [keyOf(name), tensor])),
    )
  return format === 'npy' ? new PredictionArray(context) : new PredictionTable(context)
}

const dtypeOf = (data: FloatArray) => (data instanceof Float64Array ? 'float64' : 'float32')

/** Outputs named as one of our own keys, or as no member of an archive can be, are set apart. */
function keyOf(output: string): string {
  const plain = output.replaceAll(/[/\\:]/g, '_')
  return plain === 'names' || plain === 'provenance' ? `output.${plain}` : plain
}

/** The only output; `FILE.json` beside it tells how it was made. */
class PredictionArray implements PredictionSink {
  readonly paths: readonly string[]
  #writer: NpyWriter | undefined

  constructor(private readonly context: PredictionContext) {
    this.paths = [context.out, `${context.out}.json`]
  }

  async write({ outputs }: Batch): Promise<void> {
    const [first, other] = Object.values(outputs)
    if (other)
      throw new DeepLiftError(
        'INVALID_OPTION',
        `--format npy holds one output; found ${Object.keys(outputs).join(', ')}: choose one with --output, or use ` +
          '--format npz.',
      )
    const { data, shape } = first!
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

/** Columns that a table may have: more are no table that people look at. */
const MOST_COLUMNS = 1000

/**
 * A line per example: its region or name, and a column per value, named as `--target` names it. `FILE.json` beside it
 * tells how they were made.
 */
class PredictionTable implements PredictionSink {
  readonly paths: readonly string[]
  #file: OutputFile | undefined

  constructor(private readonly context: PredictionContext) {
    this.paths = [context.out, `${context.out}.json`]
  }

  async write({ outputs, records, first }: Batch): Promise<void> {
    const tensors = Object.entries(outputs)
    if (!this.#file) {
      const columns = columnsOf(tensors)
      this.#file = await OutputFile.create(this.context.out)
      await this.#line([...siteColumns(records[0]!), ...columns])
    }
    for (const [example, record] of records.entries()) {
      const values = tensors.flatMap(([, { data }]) => {
        const size = data.length / records.length
        return Array.from(data.subarray(example * size, (example + 1) * size), formatValue(data))
      })
      await this.#line([...siteOf(record, first + example), ...values])
    }
  }

  async #line(cells: readonly (string | number)[]): Promise<void> {
    await this.#file!.append(Buffer.from(`${cells.join('\t')}\n`))
  }

  async finish(): Promise<void> {
    await writeText(this.paths[1]!, `${this.context.provenance}\n`)
    await this.#file!.commit()
  }

  async abort(): Promise<void> {
    await this.#file?.discard()
  }
}

const SITE = ['chrom', 'start', 'end', 'name']

function siteColumns({ region }: ScoredRecord): string[] {
  return region ? SITE : ['name']
}

function siteOf({ region, name }: ScoredRecord, number: number): (string | number)[] {
  const text = (name ?? String(number)).replaceAll(/[\t\n\r]/g, ' ')
  return region ? [region.chrom, region.start, region.end, text] : [text]
}

function columnsOf(tensors: readonly (readonly [string, Tensor<FloatArray>])[]): string[] {
  const count = tensors.reduce((sum, [, { shape }]) => sum + sizeOf(shape.slice(1)), 0)
  if (count > MOST_COLUMNS)
    throw new DeepLiftError(
      'INVALID_OPTION',
      `--format tsv: the outputs have ${count} values per example, a table at most ${MOST_COLUMNS} columns; choose ` +
        'outputs with --output, or use --format npz.',
    )
  return tensors.flatMap(([name, { shape }]) => {
    const axes = shape.slice(1)
    const size = sizeOf(axes)
    if (size === 1) return [name]
    return Array.from({ length: size }, (_, index) => `${name}:${indexOf(index, axes).join(',')}`)
  })
}

function indexOf(flat: number, axes: readonly number[]): number[] {
  let rest = flat
  return axes
    .toReversed()
    .map((extent) => {
      const at = rest % extent
      rest = (rest - at) / extent
      return at
    })
    .toReversed()
}

/** The fewest digits that read back as the same number of its precision. */
function formatValue(data: FloatArray): (value: number) => string {
  if (data instanceof Float64Array) return String
  return (value) => {
    for (let digits = 6; digits < 9; digits++) {
      const text = value.toPrecision(digits)
      if (Math.fround(Number(text)) === value) return String(Number(text))
    }
    return String(Number(value.toPrecision(9)))
  }
}
