/** What makes a reproduction fail. */

import { expect, test } from 'vitest'
import { Ledger } from '../../examples/reproduce/ledger.js'

test('numbers beyond their tolerance, numbers that are none, and claims that do not hold are failures', () => {
  const ledger = new Ledger()
  ledger.compare('same', 7.005, 7, 0.01)
  ledger.compare('count', 627, 627, 0)
  ledger.claim('true', true, 'seen')
  expect(ledger.failures).toEqual([])
  ledger.compare('other', 7.02, 7, 0.01)
  ledger.compare('nothing', Number.NaN, 7, 0.01)
  ledger.claim('false', false, 'not seen')
  expect(ledger.failures).toEqual([
    'other: expected 7 ± 0.01, found 7.02',
    'nothing: expected 7 ± 0.01, found NaN',
    'false: not seen',
  ])
  expect(ledger.comparisons.map(({ holds }) => holds)).toEqual([true, true, false, false])
})
