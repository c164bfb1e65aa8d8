/** The methods that paper figure 5 compares, as options of `score`. */

import { dinucleotideShuffle, type ScoreOptions } from 'deeplift'
import { BACKGROUND } from './sequences.js'

export interface Method {
  id: string
  label: string
  options: ScoreOptions
  /** Whether contributions sum to the difference of the logit. */
  complete: boolean
}

/** Of the shuffled references; other shuffles than the authors', so that numbers differ and claims must not. */
const SHUFFLES = { count: 10, seed: 1 }

const background = { background: BACKGROUND }

/**
 * Gradients are multiplied by the difference from the reference, as the authors' code does: what labels
 * call "× input" is × (input − background).
 */
export const METHODS: readonly Method[] = [
  {
    id: 'guided-backprop',
    label: 'guided backprop × input',
    options: { rule: 'guided-backprop', references: background },
    complete: false,
  },
  {
    id: 'gradient-times-input',
    label: 'gradient × input',
    options: { rule: 'gradient', references: background },
    complete: false,
  },
  {
    id: 'integrated-gradients-10',
    label: 'integrated gradients, 10 steps',
    options: { rule: { default: 'integrated-gradients', steps: 10 }, references: background },
    complete: false,
  },
  {
    id: 'rescale',
    label: 'Rescale',
    options: { rule: 'rescale', references: background },
    complete: true,
  },
  {
    id: 'reveal-cancel',
    label: 'RevealCancel',
    options: { rule: 'reveal-cancel', references: background },
    complete: true,
  },
  {
    id: 'genomics-default',
    label: 'Rescale on conv, RevealCancel on dense',
    options: { rule: 'genomics-default', references: background },
    complete: true,
  },
  {
    id: 'genomics-default-shuffled',
    label: 'the same, 10 shuffles as references',
    options: { rule: 'genomics-default', references: dinucleotideShuffle(SHUFFLES) },
    complete: true,
  },
]
