/** What the package promises about its numbers. */

import type { RuleName } from '../../src/index.js'

/** Rules whose contributions sum to the difference of the output. */
export const COMPLETE_RULES = ['rescale', 'reveal-cancel', 'genomics-default'] as const satisfies RuleName[]

/** The precisions that promises are made for. */
export type Precision = 'float32' | 'float64'

/** |sum of contributions − difference|, relative to the largest of difference, output and reference output. */
export const COMPLETENESS: Record<Precision, number> = { float32: 1e-5, float64: 1e-10 }

/** Forward outputs, and contributions of two exports of one model, relative to the largest. */
export const AGREEMENT = 1e-5
