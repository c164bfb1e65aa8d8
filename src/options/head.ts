/** Heads of models that predict a profile and its total counts (BPNet, ChromBPNet): chosen by the shapes of outputs. */

import type { NativeTarget } from '../native.js'
import { showShape } from '../tensor.js'
import { checkChoice, checkKeys, invalidOption } from './check.js'
import { knownSize } from './target-index.js'
import type { OpenShape, TensorInfo } from './tensor-info.js'

export const HEADS = ['counts', 'profile'] as const
export type HeadName = (typeof HEADS)[number]

export const PROFILE_WEIGHTS = ['mean', 'input', 'reference', 'full', 'bpnet-lite'] as const

/**
 * The profile is explained as Σ w · l, with l the logits less their mean over strands and positions, p their softmax
 * on the example and p⁰ on the reference:
 * - `mean`: w = ½ (p + p⁰), constant. What the files of ChromBPNet 1.0.1 hold (with kundajelab-shap 1)
 * - `input`: w = p, constant: `softmax(l).detach()` in PyTorch
 * - `reference`: w = p⁰, constant: ChromBPNet's code with SHAP 0.51
 * - `full`: Σ p · l as it is, p varying too; contributions sum to its difference
 * - `bpnet-lite`: Σ p · l, with p · l one function of l as in bpnet-lite 1.0.0; contributions sum to its difference
 *
 * Under the first three, contributions sum to `delta` of the scores, Σ w · (l − l⁰).
 */
export type ProfileWeights = (typeof PROFILE_WEIGHTS)[number]

export interface HeadTarget {
  /**
   * - `counts`: the value of the counts output, or the sum of its values
   * - `profile`: see {@link ProfileWeights}
   */
  head: HeadName
  /**
   * The output, or a tensor inside the model. Default: by shape. The profile is the output with most values per
   * example, counts is the other one.
   */
  output?: string
  /** Of `profile`. Default `'mean'`. */
  weights?: ProfileWeights
}

/** An output and what is known of its shape per example. */
export interface SizedOutput {
  name: string
  shape: OpenShape | undefined
}

/** Where outputs have open shapes, a head can only be found once the shapes of the inputs are known. */
export type PendingHead = (outputs: readonly SizedOutput[]) => NativeTarget

export function checkHead(target: HeadTarget, where: string): void {
  checkKeys(target, ['head', 'output', 'weights'], where)
  checkChoice(target.head, HEADS, `${where}: head`)
  if (target.weights === undefined) return
  checkChoice(target.weights, PROFILE_WEIGHTS, `${where}: weights`)
  if (target.head !== 'profile')
    throw invalidOption(`${where}: weights belong to head 'profile'; counts are summed as they are.`)
}

/** The target of a head, or what finds it once the shapes of all outputs are known. */
export function resolveHead(
  target: HeadTarget,
  outputs: readonly TensorInfo[],
  where: string,
): NativeTarget | PendingHead {
  checkHead(target, where)
  const { head, output, weights = 'mean' } = target
  const find: PendingHead = (sized) => {
    const { name, shape } = output === undefined ? chooseHead(head, sized, where) : named(output, sized)
    if (head === 'profile') return { tensor: name, profile: weights }
    return { tensor: name, index: shape ? shape.map(() => null) : [] }
  }
  const sized = outputs.map(({ name, shape }) => ({ name, shape: shape?.slice(1) }))
  // The profile needs no shape but to be chosen by; counts are summed over all axes, whose number must be known.
  const enough =
    output === undefined
      ? sized.every(({ shape }) => knownSize(shape) !== undefined)
      : head === 'profile' || named(output, sized).shape !== undefined
  return enough ? find(sized) : find
}

function named(name: string, outputs: readonly SizedOutput[]): SizedOutput {
  return outputs.find((each) => each.name === name) ?? { name, shape: undefined }
}

function chooseHead(head: HeadName, outputs: readonly SizedOutput[], where: string): SizedOutput {
  const sized = outputs
    .flatMap((output) => {
      const size = knownSize(output.shape)
      return size === undefined ? [] : [{ output, size }]
    })
    .sort((a, b) => b.size - a.size)
  const [most, next, ...others] = sized
  const profile = most && most.size > 1 && most.size !== next?.size ? most.output : undefined
  if (head === 'profile' && profile) return profile
  if (head === 'counts') {
    // A model that predicts counts alone has one output of one value.
    if (sized.length === 1 && most!.size === 1) return most!.output
    if (profile && next && others.length === 0) return next.output
  }
  const list = outputs.map(
    ({ name, shape }) => `${JSON.stringify(name)} ${shape ? showShape(shape) : '(unknown)'}`,
  )
  const rule =
    head === 'profile'
      ? 'the profile is the output with most values per example, of which there must be one'
      : 'counts is the output beside the profile, which is the one with most values per example, in a model of two outputs'
  throw invalidOption(
    `${where}: head '${head}': ${rule}; outputs per example are ${list.join(', ')}. Name it: ` +
      `{ head: '${head}', output: ${JSON.stringify(outputs[0]!.name)} }.`,
    { option: 'target' },
  )
}
