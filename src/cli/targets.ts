/** Targets as they are written on the command line. */

import type { HeadTarget } from '../options/head.js'
import type { TargetObject } from '../options/target.js'
import type { AxisIndex, TargetIndex } from '../options/target-index.js'
import type { TensorInfo } from '../options/tensor-info.js'

/** One axis: a position, `*` for the sum over all, `2..5` for the sum over positions 2, 3 and 4. */
const AXIS = String.raw`(?:\*|\d+\.\.\d+|\d+)`
const INDEX = `${AXIS}(?:,${AXIS})*`
const FORM = new RegExp(`^(?:(.*):)?(${INDEX})(?:-(mean|${INDEX}))?$`)

/**
 * - `3`, `logits`, `logits:3`, or with one entry per axis `profile:0,57`, `profile:*,100..200`
 * - `logits:3-1`: value 3 less value 1; `logits:3-mean`: less the mean
 */
export function parseTarget(text: string, outputs: readonly TensorInfo[]): TargetObject {
  if (outputs.some(({ name }) => name === text)) return { output: text }
  const [, output, index, minus] = FORM.exec(text) ?? []
  // Any other text is the name of a tensor inside the model.
  if (index === undefined) return { output: text }
  return {
    ...(output !== undefined && { output }),
    index: parseIndex(index),
    ...(minus === 'mean' && { centred: true }),
    ...(minus !== undefined && minus !== 'mean' && { minus: parseIndex(minus) }),
  }
}

function parseIndex(text: string): TargetIndex {
  const axes = text.split(',').map((each): AxisIndex => {
    if (each === '*') return null
    const [from, to] = each.split('..').map(Number)
    return to === undefined ? from! : [from!, to]
  })
  const [first] = axes
  return axes.length === 1 && typeof first === 'number' ? first : axes
}

/** `counts`, `profile` or `profile:WEIGHTS`, each with `OUTPUT=` before it where shapes do not tell the output. */
export function parseHead(text: string): HeadTarget {
  const at = text.lastIndexOf('=')
  const [head, weights] = text.slice(at + 1).split(':', 2)
  return {
    head: head as HeadTarget['head'],
    ...(at > 0 && { output: text.slice(0, at) }),
    ...(weights !== undefined && { weights: weights as NonNullable<HeadTarget['weights']> }),
  }
}

/**
 * What the files of several targets are called by, in the order of the targets: `counts_scores` and `profile_scores` for
 * heads, as ChromBPNet and BPNet name them, `logits-1` for `--target logits:1`.
 */
export function targetNames({ target = [], head = [] }: { target?: string[]; head?: string[] }): string[] {
  const plain = (text: string) => text.replaceAll(/[^A-Za-z0-9._]+/g, '-').replaceAll(/^-+|-+$/g, '')
  const names = [
    ...target.map((text) => (/^\d/.test(text) ? `target-${plain(text)}` : plain(text))),
    ...head.map((text) => `${plain(text)}_scores`),
  ]
  return names.map((name, index) => (names.indexOf(name) === index ? name : `${name}-${index}`))
}
