/** Conformance cases: what their files say, and which of their expectations this package must meet. */

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Rule } from '../../src/options/rule.js'
import type { Variants } from '../../src/options/variants.js'
import { SHARED } from '../support/shared.js'

export interface StoredArray {
  file: string
  shape: number[]
  axes: string[]
  /** Examples that are stored; absent if all are. */
  examples?: number[]
  dtype: string
  /** Says that the axis missing from `axes` has been summed. */
  reduction?: string
}

export interface Tolerance {
  atol: number
  rtol: number
}

export interface Expectation {
  id: string
  status: 'required' | 'adjudicated' | 'informative'
  method: { rule: string; maxPool?: string | null; softmax?: string }
  contributions?: Record<string, StoredArray>
  contributionsDouble?: Record<string, StoredArray>
  multipliers?: Record<string, StoredArray>
  hypothetical?: Record<string, StoredArray>
  tolerance: Tolerance
  toleranceDouble?: Tolerance
  /** Of the stored values themselves. */
  completeness: { maxRelError?: number; satisfied: boolean }
  producers: Producer[]
  /** How far other implementations are from the stored values. */
  peers?: {
    producer: Producer
    maxAbsDiffToExpected: number
    completenessMaxRelError: number
    note: string | null
  }[]
}

export interface Producer {
  name: string
  version: string
  note?: string
}

export interface Case {
  id: string
  group: string
  title: string
  folder: string
  model: { file: string; operators: string[] }
  inputs: { name: string; file: string; shape: number[]; axes?: string[] }[]
  references: {
    averageOver: number
    pairing?: string
    files: { name: string; file: string; shape: number[]; broadcast: boolean }[]
  }
  targets: { tensor: string; index: number }[]
  /** f(x) of each target and example. */
  outputs?: { file: string }
  /** f(x) − f(reference), averaged over references, of each target and example. */
  delta?: { file: string; axes?: string[] }
  expectations: Expectation[]
}

const FOLDER = join(SHARED, 'conformance')

/** Empty where the data are absent. */
export function readCases(): Case[] {
  const index = join(FOLDER, 'index.json')
  if (!existsSync(index)) {
    console.warn(`${FOLDER} is absent: conformance is not tested (set DEEPLIFT_SHARED to its parent)`)
    return []
  }
  const { cases } = readJson(index) as { cases: { path: string }[] }
  return cases.map(({ path }) => {
    const file = join(FOLDER, path)
    return { ...(readJson(file) as Omit<Case, 'folder'>), folder: dirname(file) }
  })
}

export function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'))
}

/** What `score` is asked for to meet an expectation. */
export interface Method {
  rule: Rule
  multiplyBy?: 'input'
  variants?: Variants
}

const TEN_STEPS: Rule = { default: 'integrated-gradients', steps: 10 }

const METHODS: Record<string, Method> = {
  rescale: { rule: 'rescale' },
  revealcancel: { rule: 'reveal-cancel' },
  'genomics-default': { rule: 'genomics-default' },
  'gradient-times-difference': { rule: 'gradient' },
  'gradient-times-input': { rule: 'gradient', multiplyBy: 'input' },
  'guided-backprop-times-difference': { rule: 'guided-backprop' },
  'guided-backprop-times-input': { rule: 'guided-backprop', multiplyBy: 'input' },
  'integrated-gradients-10': { rule: TEN_STEPS },
  'integrated-gradients-10-midpoint': { rule: TEN_STEPS },
}

const MAX_POOL: Record<string, Variants> = {
  'cross-maximum rescale': { maxPool: 'cross' },
  'gradient to the winner of the input': { maxPool: 'argmax' },
}

/** Cases whose values follow from another variant than the default, on purpose. */
export const VARIANTS: Record<string, Variants> = {
  softmax_output: { softmax: 'elementwise' },
}

/** Defects of an implementation, which are not copied. */
const DEFECTS = ['captum normalisation over the whole batch', 'captum normalisation, one example at a time']

/**
 * Cases whose values were computed in double precision from constants that their ONNX file holds rounded to
 * float32: f(x) of the file is another number, and so are its contributions where `contributions` says that the
 * double tolerance is below the rounding; those are compared at the single tolerance in both precisions.
 */
export const ROUNDED_IN_FILE: Record<string, { constants: string; contributions: boolean }> = {
  act_celu: { constants: 'alpha 1.3', contributions: true },
  act_elu: { constants: 'alpha 0.7', contributions: true },
  act_gelu_tanh: { constants: 'sqrt(2/pi) and 0.044715', contributions: true },
  act_hardsigmoid: { constants: 'alpha 1/6', contributions: true },
  act_leakyrelu: { constants: 'alpha 0.1', contributions: true },
  act_selu: { constants: 'alpha and gamma', contributions: true },
  basset_like: { constants: 'batch normalisation folded into weights', contributions: true },
  batchnorm_unfolded: { constants: 'epsilon 0.001', contributions: false },
  cnn_avgpool: { constants: 'batch normalisation folded into weights', contributions: true },
  conv2d_pooling: { constants: 'batch normalisation folded into weights', contributions: true },
  deepstarr_like: { constants: 'batch normalisation folded into weights', contributions: true },
  residual_add: { constants: 'batch normalisation folded into weights', contributions: true },
}

/**
 * Cases with an output that is far smaller than the contributions that it is the sum of: f(x) is -0.009 where
 * |contributions| sum to 71, and 26 where they sum to 11,000. In float32 the residual is the last bits of those, however
 * they are computed, and not small relative to f(x): it is held against `LAST_BITS` of their sum.
 */
export const CANCELLING = ['genomics/rescale--background', 'genomics/rescale--zeros', 'mnist/rescale--zeros']

/** Twice the distance between 1 and the next number of float32. */
export const LAST_BITS = 2 ** -22

/** Largest residual in float32 of networks in which the roundings of 60 layers come together. */
export const DEEP: Record<string, number> = {
  'networks/deep_60_dense': 1.8e-5,
  'networks/deep_60_conv': 3.6e-5,
}

/**
 * Maps on which the pseudo-count of the original shows: it adds 1e-7 to an empty part of a difference before it
 * takes the quotient, we take the limit. Its values move to ours as its pseudo-count goes to 0 (1.2e-6 away at
 * 1e-8, 2.1e-9 at 1e-10). Contributions are not touched: the part that the multiplier belongs to is empty.
 */
export const PSEUDO_COUNT_SHOWS: Record<string, number> = {
  'mnist_like_conv2d: revealcancel, multipliers of image, target 0, example 0': 1.4e-6,
}

export type Category = 'defect' | 'required'

/** Why an expectation is not compared. */
export const REMARKS: Record<Exclude<Category, 'required'>, string> = {
  defect:
    'a defect of Captum, which is not copied: the mean over other values is taken from every multiplier',
}

export function categorise({ method }: Expectation): Category {
  return method.softmax !== undefined && DEFECTS.includes(method.softmax) ? 'defect' : 'required'
}

/** @throws if nobody decided how an expectation is met, so that nothing new goes untested unseen */
export function methodOf({ id, group }: Case, { method }: Expectation): Method {
  const { rule, maxPool, softmax } = method
  const known = METHODS[rule]
  const pool = typeof maxPool === 'string' ? MAX_POOL[maxPool] : {}
  if (!known || !pool || softmax !== undefined)
    throw new Error(`${group}/${id}: nobody decided about ${JSON.stringify(method)}`)
  return { ...known, variants: { ...pool, ...VARIANTS[id] } }
}
