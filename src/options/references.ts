/** References as users give them, resolved for each input of a model. */

import { DeepLiftError } from '../errors.js'
import type { NativeReference } from '../native.js'
import type { InputReferences, References } from '../references.js'
import { checkTensor, isTensor, showShape, type Tensor } from '../tensor.js'
import { didYouMean, invalidOption, show } from './check.js'
import { type Layout, LETTERS } from './layout.js'

/** Given values, of kind `shared` or `perExample`. */
export interface ReferenceValues {
  tensor: Tensor
  /** References per example. */
  count: number
}

export interface ResolvedReference {
  native: NativeReference
  values?: ReferenceValues
}

const KINDS =
  `'zeros', 'background', { background: [A, C, G, T] }, 'self', dinucleotideShuffle({ count, seed }), ` +
  'a tensor { data, shape }, { shared: tensor } or { perExample: tensor }'

/** The uniform background. */
const UNIFORM = [0.25, 0.25, 0.25, 0.25]

/** How far background frequencies may sum from 1: they are often written with two digits. */
const FREQUENCY_TOLERANCE = 1e-3

/** Which references belong to which input. */
export function assignReferences(
  references: References | undefined,
  names: readonly string[],
): Map<string, InputReferences> {
  if (references === undefined)
    throw invalidOption(
      `references: say what inputs are compared with: ${KINDS}. Contributions explain the difference from it.`,
      { option: 'references' },
    )
  if (!isByName(references, names)) {
    const single = references as InputReferences
    if (names.length > 1 && typeof single !== 'string')
      throw invalidOption(
        `references: the model has the inputs ${names.join(', ')}; give references by name, for example ` +
          `{ ${names[0]}: …, ${names[1]}: 'self' }.`,
        { option: 'references' },
      )
    return new Map(names.map((name) => [name, single]))
  }
  const byName = references as Record<string, InputReferences>
  for (const name of Object.keys(byName))
    if (!names.includes(name))
      throw invalidOption(
        `references: the model has no input ${JSON.stringify(name)}.${didYouMean(name, names)} ` +
          `Inputs are ${names.join(', ')}.`,
        { option: 'references' },
      )
  const missing = names.find((name) => byName[name] === undefined)
  if (missing !== undefined)
    throw invalidOption(
      `references: input ${JSON.stringify(missing)} has none; 'self' holds an input fixed, 'zeros' compares with 0.`,
      { option: 'references' },
    )
  return new Map(names.map((name) => [name, byName[name]!]))
}

function isByName(references: unknown, names: readonly string[]): boolean {
  if (typeof references !== 'object' || references === null) return false
  const keys = Object.keys(references)
  if (keys.some((key) => names.includes(key))) return true
  return !['kind', 'background', 'shared', 'perExample', 'data', 'shape'].some((key) => key in references)
}

/**
 * @param examples Number of examples, or undefined where it is not known in advance (streams).
 * @param fromRecord The references that the first record of a stream brings, for `'record'`.
 */
export function resolveReference(
  spec: InputReferences,
  layout: Layout,
  examples: number | undefined,
  fromRecord?: Tensor,
): ResolvedReference {
  const where = `references of input ${JSON.stringify(layout.name)}`
  if (spec === 'zeros') return { native: { kind: 'zeros' } }
  if (spec === 'self') return { native: { kind: 'self' } }
  if (spec === 'background') return resolveBackground(UNIFORM, layout, where)
  if (spec === 'record') return resolveRecord(fromRecord, layout, examples, where)
  if (typeof spec === 'object' && spec !== null) {
    if ('kind' in spec && spec.kind === 'dinucleotide') {
      needLetters(layout, where, 'dinucleotide shuffles')
      return { native: { ...spec } }
    }
    if ('background' in spec) return resolveBackground(spec.background, layout, where)
    if ('shared' in spec) return shared(checkTensor(spec.shared, where), layout, where)
    if ('perExample' in spec) return perExample(checkTensor(spec.perExample, where), layout, examples, where)
    if (isTensor(spec)) return guess(checkTensor(spec, where), layout, examples, where)
  }
  const names = ['zeros', 'background', 'self', 'record']
  const hint = typeof spec === 'string' ? didYouMean(spec, names) : ''
  throw invalidOption(`${where}: expected ${KINDS}; found ${show(spec)}.${hint}`, { option: 'references' })
}

function resolveBackground(frequencies: unknown, layout: Layout, where: string): ResolvedReference {
  needLetters(layout, where, 'background frequencies')
  const values = Array.from((frequencies as ArrayLike<number>) ?? [])
  const total = values.reduce((sum, value) => sum + value, 0)
  const sound = values.length === LETTERS && values.every((value) => value >= 0 && value <= 1)
  if (!sound || !(Math.abs(total - 1) <= FREQUENCY_TOLERANCE))
    throw invalidOption(
      `${where}: background: expected the frequencies of A, C, G and T, which sum to 1; found ${show(values)}.`,
      { option: 'references' },
    )
  return { native: { kind: 'background', frequencies: values } }
}

function needLetters({ channelAxis, name, shape }: Layout, where: string, what: string): void {
  if (channelAxis !== undefined) return
  throw invalidOption(
    `${where}: ${what} need an axis of 4 channels (A, C, G, T); one example of input ${JSON.stringify(name)} has the ` +
      `shape ${showShape(shape)}.`,
    { option: 'references' },
  )
}

function resolveRecord(
  tensor: Tensor | undefined,
  layout: Layout,
  examples: number | undefined,
  where: string,
): ResolvedReference {
  if (examples !== undefined)
    throw invalidOption(
      `${where}: 'record' is for streams, whose records bring their references; give { perExample: tensor }.`,
    )
  if (!tensor) {
    const message = `${where}: 'record' needs references.${layout.name} in every record; the first has none.`
    throw new DeepLiftError('INVALID_INPUT', message)
  }
  const { count } = shared(tensor, layout, where).values!
  return { native: { kind: 'perExample', count }, values: { tensor, count } }
}

function guess(
  tensor: Tensor,
  layout: Layout,
  examples: number | undefined,
  where: string,
): ResolvedReference {
  const extra = tensor.shape.length - axesOf(tensor, layout).length
  const perExampleLooks = extra === 2 || (extra === 1 && tensor.shape[0] === examples && examples !== 1)
  return perExampleLooks ? perExample(tensor, layout, examples, where) : shared(tensor, layout, where)
}

/** The axes that one reference has in this tensor: those of an example, or for base codes its positions. */
function axesOf({ data }: Tensor, { shape, size, channelAxis }: Layout): readonly number[] {
  return data instanceof Uint8Array && channelAxis !== undefined ? [size / LETTERS] : shape
}

/** `[…]` or `[R, …]`. */
function shared(tensor: Tensor, layout: Layout, where: string): ResolvedReference {
  const axes = axesOf(tensor, layout)
  const { shape } = tensor
  const extra = shape.length - axes.length
  if (!(extra === 0 || extra === 1) || !endsWith(shape, axes))
    throw wrongShape(shape, [axes, ['R', ...axes]], where)
  const count = extra === 0 ? 1 : shape[0]!
  if (count === 0) throw wrongShape(shape, [['at least 1', ...axes]], where)
  return { native: { kind: 'shared', count }, values: { tensor, count } }
}

/** `[n, …]` or `[n, R, …]`. */
function perExample(
  tensor: Tensor,
  layout: Layout,
  examples: number | undefined,
  where: string,
): ResolvedReference {
  if (examples === undefined)
    throw invalidOption(
      `${where}: a stream has no fixed number of examples; give references: 'record' and a tensor in each record.`,
    )
  const axes = axesOf(tensor, layout)
  const { shape } = tensor
  const extra = shape.length - axes.length
  if (!(extra === 1 || extra === 2) || !endsWith(shape, axes) || shape[0] !== examples)
    throw wrongShape(
      shape,
      [
        [examples, ...axes],
        [examples, 'R', ...axes],
      ],
      where,
    )
  const count = extra === 1 ? 1 : shape[1]!
  if (count === 0) throw wrongShape(shape, [[examples, 'at least 1', ...axes]], where)
  return { native: { kind: 'perExample', count }, values: { tensor, count } }
}

function endsWith(shape: readonly number[], axes: readonly number[]): boolean {
  const offset = shape.length - axes.length
  return axes.every((extent, axis) => shape[offset + axis] === extent)
}

function wrongShape(
  found: readonly number[],
  expected: readonly (readonly (number | string)[])[],
  where: string,
): DeepLiftError {
  return new DeepLiftError(
    'INVALID_INPUT',
    `${where}: expected the shape ${expected.map(showShape).join(' or ')}, found ${showShape(found)}.`,
    { details: { expected, found } },
  )
}
