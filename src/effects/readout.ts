/**
 * Readouts: what of a model's outputs is compared between two sequences, and how.
 *
 * - a target: its value, a sum or a difference of values; the effect is the difference
 * - the head `counts`: the sum of e^value over its values, which are logarithms; the effect is the log2 fold change
 * - the head `profile`: the softmax over positions and strands; the effect is the Jensen-Shannon distance
 *
 * On the reverse complement counts are the same quantity, profiles are turned around, and a target may be another one.
 * Over both strands values and counts are averaged, and so are the logits of profiles, as in variant-scorer.
 */

import type { FloatArray, NativeTarget } from '../native.js'
import { invalidOption } from '../options/check.js'
import type { PendingHead } from '../options/head.js'
import { resolveTargets, type SingleTarget } from '../options/target.js'
import { fitTarget, targetValue } from '../options/target-value.js'
import type { TensorInfo } from '../options/tensor-info.js'
import {
  inCommon,
  jensenShannonDistance,
  type Profile,
  profileAxes,
  type Replacement,
  turned,
} from './profile.js'

export type Effect = 'diff' | 'logfc' | 'jsd'

/** A number, or a profile. */
export type Reading = number | Profile

/** What kind of readout it is, which is known before any shape. */
export interface ReadoutKind {
  /** How the table calls it where there are several of a kind. */
  label: string
  effect: Effect
}

export interface Readout extends ReadoutKind {
  /** The tensor that is read. */
  output: string
  /** What one example says, from its values of the tensor; `reverse` for the reverse complement. */
  read(values: FloatArray, reverse: boolean): Reading
}

/** A target as it was asked for. */
export interface ReadoutRequest {
  label: string
  target: SingleTarget
  /** What the target is on the reverse complement; the same by default. */
  reverse?: SingleTarget
}

/** What readouts of a model need, before any shape is known. */
export interface ReadoutPlan {
  /** Tensors that are computed: all outputs of the model where heads are chosen by shapes that are not known yet. */
  outputs: string[]
  kinds: ReadoutKind[]
  /** The readouts, once the shapes of these tensors are known. @throws {DeepLiftError} INVALID_OPTION */
  settle(shapes: Readonly<Record<string, readonly number[]>>): Readout[]
}

/** @throws {DeepLiftError} INVALID_OPTION for targets that the model does not have */
export function planReadouts(
  requests: readonly ReadoutRequest[],
  outputs: readonly TensorInfo[],
  bothStrands: boolean,
): ReadoutPlan {
  const resolved = requests.map((request) => {
    const { target, reverse = target } = request
    const [forward] = resolveTargets(target, outputs).targets
    const [backward] = resolveTargets(reverse, outputs, 'reverse target').targets
    return { ...request, forward: forward!, backward: backward! }
  })
  const tensors = resolved.map(({ forward }) => (typeof forward === 'function' ? undefined : forward.tensor))
  const known = outputs.map(({ name }) => name)
  const settle: ReadoutPlan['settle'] = (shapes) => {
    const sized = known.flatMap((name) => (shapes[name] ? [{ name, shape: shapes[name] }] : []))
    const find = (target: NativeTarget | PendingHead) =>
      typeof target === 'function' ? target(sized) : target
    return resolved.map(({ label, target, forward, backward }) => {
      const there = find(forward)
      const shape = shapes[there.tensor]!
      const effect = kindOf(target)
      if (effect === 'jsd') return profileReadout(label, there.tensor, shape, bothStrands)
      if (effect === 'logfc') return countsReadout(label, there.tensor)
      return valueReadout(label, there, find(backward), shape)
    })
  }
  const named = tensors.filter((tensor) => tensor !== undefined)
  const all = named.length === tensors.length ? named : [...named, ...known]
  const kinds = requests.map(({ label, target }) => ({ label, effect: kindOf(target) }))
  return { outputs: [...new Set(all)], kinds, settle }
}

function kindOf(target: SingleTarget): Effect {
  const head = typeof target === 'object' && 'head' in target ? target.head : undefined
  return head === 'profile' ? 'jsd' : head === 'counts' ? 'logfc' : 'diff'
}

function valueReadout(
  label: string,
  forward: NativeTarget,
  backward: NativeTarget,
  shape: readonly number[],
): Readout {
  if (backward.tensor !== forward.tensor)
    throw invalidOption(
      `reverse target: it is a value of ${JSON.stringify(forward.tensor)} as the target is, not of ` +
        `${JSON.stringify(backward.tensor)}.`,
    )
  const there = fitTarget(forward, shape, `target ${label}`)
  const here = fitTarget(backward, shape, `reverse target of ${label}`)
  return {
    label,
    effect: 'diff',
    output: forward.tensor,
    read: (values, reverse) => targetValue(reverse ? here : there, values, shape),
  }
}

function countsReadout(label: string, output: string): Readout {
  return {
    label,
    effect: 'logfc',
    output,
    read(values) {
      let counts = 0
      for (const logCount of values) counts += Math.exp(logCount)
      return counts
    },
  }
}

function profileReadout(
  label: string,
  output: string,
  shape: readonly number[],
  bothStrands: boolean,
): Readout {
  const { tracks } = profileAxes(shape)
  if (bothStrands && tracks > 2)
    throw invalidOption(
      `head 'profile': ${JSON.stringify(output)} has ${tracks} tracks; the reverse complement swaps two, which are ` +
        'strands, but what it does to more is not known. Use the forward strand alone.',
    )
  return {
    label,
    effect: 'jsd',
    output,
    read(values, reverse) {
      const profile = { logits: Float64Array.from(values), shape }
      return reverse ? turned(profile) : profile
    },
  }
}

/** The reading of both strands, from one of each. */
export function meanReading(first: Reading, second: Reading): Reading {
  if (typeof first === 'number') return (first + (second as number)) / 2
  const other = (second as Profile).logits
  return { shape: first.shape, logits: first.logits.map((value, index) => (value + other[index]!) / 2) }
}

/** The effect that leads from the first reading to the second; `replacement` where sequences are shifted. */
export function effectOf(
  { effect }: Readout,
  first: Reading,
  second: Reading,
  replacement?: Replacement,
): number {
  if (effect === 'diff') return (second as number) - (first as number)
  if (effect === 'logfc') return Math.log2((second as number) / (first as number))
  const [before, after] = [first as Profile, second as Profile]
  if (!replacement) return jensenShannonDistance(before.logits, after.logits)
  return jensenShannonDistance(...inCommon(before, after, replacement))
}
