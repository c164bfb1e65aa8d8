/** What counts as the same page. */

import { expect, test } from 'vitest'
import { differingLines } from './page.js'

test('numbers may differ a hundredfold, text may not', () => {
  expect(differingLines('a 3e-7 b\nc 0', 'a 4e-6 b\nc 2e-14')).toEqual([])
  expect(differingLines('a 3e-7 b', 'a 4e-4 b')).toHaveLength(1)
  expect(differingLines('a 3e-7 b', 'a 3e-7 c')).toHaveLength(1)
  expect(differingLines('a\nb', 'a')).toEqual([['b', '']])
})
