/** Experiment C of examples/reproduce: paper figures 1 to 3. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { compareAnalytic } from '../../examples/reproduce/analytic/expected.js'
import { analyticExperiment } from '../../examples/reproduce/analytic/experiment.js'
import { FOLDER } from '../../examples/reproduce/folder.js'
import { Ledger } from '../../examples/reproduce/ledger.js'
import { NETWORK_FILES } from './networks.js'

describe('the small networks of the paper', () => {
  test.each(Object.entries(NETWORK_FILES))('%s is what it says', async (name, bytes) => {
    expect(new Uint8Array(await readFile(join(FOLDER, 'analytic', name)))).toEqual(new Uint8Array(bytes))
  })

  test('every method gives its closed form', async () => {
    const ledger = new Ledger()
    compareAnalytic(ledger, await analyticExperiment())
    expect(ledger.comparisons).toHaveLength(9)
    expect(ledger.failures).toEqual([])
  })
})
