/** The formats of results by name. */

import { checkChoice } from '../../options/check.js'
import type { OutputName } from '../../options/score-options.js'
import { ModiscoSink } from './modisco.js'
import { NpySink } from './npy.js'
import { NpzSink } from './npz.js'
import type { Sink, SinkContext } from './sink.js'

export const FORMATS = ['npz', 'npy', 'modisco'] as const
export type Format = (typeof FORMATS)[number]

const CREATE: Record<Format, (context: SinkContext) => Sink> = {
  npz: ({ out, several }) => new NpzSink(out, several),
  npy: ({ out }) => new NpySink(out),
  modisco: ({ out }) => new ModiscoSink(out),
}

/** What a format holds that is not asked for otherwise. */
const NEEDS: Partial<Record<Format, OutputName[]>> = { modisco: ['hypothetical'] }

/** The format asked for, or else the one that the name of the file tells. */
export function chooseFormat({ format, out }: { format?: string; out?: string }): Format {
  if (format !== undefined) return checkChoice(format, FORMATS, '--format')
  return out?.endsWith('.npy') ? 'npy' : 'npz'
}

export function createSink(format: Format, context: SinkContext): Sink {
  return CREATE[format](context)
}

export function outputsOf(format: Format): readonly OutputName[] {
  return NEEDS[format] ?? []
}
