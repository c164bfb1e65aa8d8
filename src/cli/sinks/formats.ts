/** The formats of results by name. */

import { BigWigRowsWriter } from '../../formats/bigwig.js'
import { Hdf5RowsWriter } from '../../formats/hdf5.js'
import { ModiscoWriter } from '../../formats/modisco.js'
import { provenanceOfTarget } from '../../formats/targets.js'
import { checkChoice } from '../../options/check.js'
import type { OutputName } from '../../options/score-options.js'
import { usage } from '../arguments.js'
import { fileOfTarget } from '../results.js'
import { NpySink } from './npy.js'
import { createScoreArchive } from './npz.js'
import { SequenceRowsSink } from './sequence-rows.js'
import { type Sink, type SinkContext, SinkGroup } from './sink.js'
import { TargetSink } from './target.js'

export const FORMATS = ['npz', 'npy', 'modisco', 'chrombpnet', 'bpnet', 'bigwig'] as const
export type Format = (typeof FORMATS)[number]

const CREATE: Record<Format, (context: SinkContext) => Sink> = {
  npz: createScoreArchive,
  npy: (context) => new NpySink(context),
  modisco: ({ out, ...options }) => new SequenceRowsSink(new ModiscoWriter(out, options), 'modisco'),
  chrombpnet: ({ out, ...options }) =>
    new SequenceRowsSink(new Hdf5RowsWriter(out, 'chrombpnet', options), 'chrombpnet'),
  bpnet: ({ out, ...options }) => new SequenceRowsSink(new Hdf5RowsWriter(out, 'bpnet', options), 'bpnet'),
  bigwig: ({ out, genome, ...options }) => {
    if (!genome) throw usage('--format bigwig lays scores along a genome: it takes --bed and --genome.')
    return new SequenceRowsSink(new BigWigRowsWriter(out, genome, options), 'bigwig')
  },
}

/** What a format holds that is not asked for otherwise. */
const NEEDS: Partial<Record<Format, OutputName[]>> = {
  modisco: ['hypothetical'],
  chrombpnet: ['hypothetical'],
  bpnet: ['hypothetical'],
}

/** The format asked for, or else the one that the name of the file tells. */
export function chooseFormat({ format, out }: { format?: string; out?: string }): Format {
  if (format !== undefined) return checkChoice(format, FORMATS, '--format')
  if (out?.endsWith('.h5'))
    throw usage(`${out}: HDF5 has two layouts: say --format chrombpnet or --format bpnet.`)
  if (out?.endsWith('.bw') || out?.endsWith('.bigwig')) return 'bigwig'
  return out?.endsWith('.npy') ? 'npy' : 'npz'
}

/** Formats with an axis of targets. */
const HOLDS_TARGETS: readonly Format[] = ['npz', 'npy']

/** Of several targets, other formats get a file each. */
export function createSink(format: Format, context: SinkContext): Sink {
  const { targets = [], out, provenance } = context
  if (targets.length < 2 || HOLDS_TARGETS.includes(format)) return CREATE[format](context)
  const sinks = targets.map((name, target) => {
    const own = { out: fileOfTarget(out, name), provenance: provenanceOfTarget(provenance, target) }
    return new TargetSink(CREATE[format]({ ...context, ...own }), target)
  })
  return new SinkGroup(sinks)
}

export function outputsOf(format: Format): readonly OutputName[] {
  return NEEDS[format] ?? []
}
