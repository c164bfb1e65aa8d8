/** The methods that paper figure 4 compares, as options of `score`. */

import type { ScoreOptions } from 'deeplift'

export interface Method {
  id: string
  label: string
  options: ScoreOptions
  /** Scores are the multipliers of pixels that are not black, instead of the contributions. */
  masked?: true
}

export const METHODS: readonly Method[] = [
  {
    id: 'guided-backprop-masked',
    label: 'guided backprop, masked by the input',
    options: { rule: 'guided-backprop' },
    masked: true,
  },
  {
    id: 'gradient-times-input',
    label: 'gradient × input',
    options: { rule: 'gradient', multiplyBy: 'input' },
  },
  {
    id: 'integrated-gradients-5',
    label: 'integrated gradients, 5 steps',
    options: { rule: { default: 'integrated-gradients', steps: 5 } },
  },
  { id: 'rescale', label: 'Rescale', options: { rule: 'rescale' } },
  {
    id: 'genomics-default',
    label: 'Rescale on conv, RevealCancel on dense',
    options: { rule: 'genomics-default' },
  },
  { id: 'reveal-cancel', label: 'RevealCancel', options: { rule: 'reveal-cancel' } },
]
