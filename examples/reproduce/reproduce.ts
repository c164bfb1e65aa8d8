/** All experiments, and what they are compared with. */

import { compareAnalytic } from './analytic/expected.js'
import { type Analytic, analyticExperiment } from './analytic/experiment.js'
import { claimGenomics } from './genomics/claims.js'
import { compareGenomics } from './genomics/expected.js'
import { type Genomics, motifExperiment } from './genomics/experiment.js'
import { Ledger } from './ledger.js'
import { compareMnist } from './mnist/expected.js'
import { eraseExperiment, type Mnist } from './mnist/experiment.js'

export interface Reproduction {
  mnist: Mnist
  genomics: Genomics
  analytic: Analytic[]
  ledger: Ledger
}

/**
 * @param data folder with the authors' networks (as ONNX) and data
 * @param evaluation folder with `genomics/pwm.json`, the matrices of the two motifs
 */
export async function reproduce(
  data: string,
  evaluation: string,
  log: (line: string) => void,
): Promise<Reproduction> {
  const ledger = new Ledger()
  const analytic = await analyticExperiment()
  compareAnalytic(ledger, analytic)
  const mnist = await eraseExperiment(data, log)
  compareMnist(ledger, mnist)
  const genomics = await motifExperiment(data, evaluation, log)
  compareGenomics(ledger, genomics)
  claimGenomics(ledger, genomics)
  return { mnist, genomics, analytic, ledger }
}
