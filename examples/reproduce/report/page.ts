/** The page that shows tables and figures together. */

import type { Reproduction } from '../reproduce.js'
import { markdown, type Table } from './table.js'
import { eraseTable, falseNegativeTable, medianTable } from './tables.js'

/** A figure on the page. */
export interface Figure {
  name: string
  caption: string
}

export function page({ mnist, genomics, ledger }: Reproduction, figures: readonly Figure[]): string {
  const { comparisons, claims, failures } = ledger
  const picture = (prefix: string) =>
    figures
      .filter(({ name }) => name.startsWith(prefix))
      .map(({ name, caption }) => `![${caption}](${name}.png)\n\n_${caption}_`)
      .join('\n\n')
  return `${[
    "# The DeepLIFT paper's experiments",
    'Made by `npm run reproduce -- --data <folder>`; what the folder holds is described in ' +
      '[examples/reproduce](../../examples/reproduce/README.md). The expected numbers were obtained with the ' +
      "authors' code (kundajelab/deeplift 0201a21) on their networks and data.",
    verdict(comparisons.length, claims.length, failures),
    '## Erasing pixels of digits',
    `The network is the authors' convolutional one for MNIST, which gets ${(100 * mnist.accuracy).toFixed(2)} % of the ` +
      '10,000 test images right. Of each image of the original digit, up to 157 of its 784 pixels are erased: those ' +
      'that by a method speak most for the original and against the target digit. Mean change in log-odds, and how ' +
      'many images are then taken for the target rather than the original:',
    markdown(eraseTable(mnist)),
    picture('figure-4'),
    '## Finding motifs',
    "The network is the authors' one for simulated sequences with TAL1 and GATA1 motifs (test auROC " +
      `${genomics.auroc.map((value) => value.toFixed(5)).join(', ')}). Task 0 needs both motifs, task 1 GATA1, task 2 TAL1. ` +
      'Strong matches in sequences with both motifs whose total score for task 0 is 0 or less, though both are needed:',
    markdown(falseNegativeTable(genomics)),
    picture('figure-5b'),
    'Median total score of the same matches by task; GATA1 should have none on task 2, TAL1 none on task 1:',
    markdown(medianTable(genomics)),
    'As in the authors\' code, "× input" means times the difference from the reference, which is the background here.',
    picture('figure-5a'),
    picture('figure-6'),
    '## Networks small enough to reason about',
    picture('figures-1-to-3'),
    'Gradients see nothing where an output has saturated, and jump at a threshold; differences from a reference do ' +
      'neither. Only RevealCancel gives both inputs of a minimum their share.',
    '## Every number',
    markdown(comparisonTable(ledger)),
    markdown(claimTable(ledger)),
  ].join('\n\n')}\n`
}

function verdict(comparisons: number, claims: number, failures: readonly string[]): string {
  if (failures.length === 0)
    return `All ${comparisons} numbers are the expected ones, and all ${claims} claims hold.`
  const list = failures.map((line) => `- ${line}`).join('\n')
  return `**${failures.length} of ${comparisons + claims} numbers and claims do not hold:**\n\n${list}`
}

function comparisonTable({ comparisons }: Reproduction['ledger']): Table {
  return {
    columns: ['number', 'here', 'expected', 'tolerance'],
    rows: comparisons.map(({ name, actual, expected, tolerance }) => [
      name,
      show(actual),
      show(expected),
      show(tolerance),
    ]),
  }
}

function claimTable({ claims }: Reproduction['ledger']): Table {
  return {
    columns: ['claim', 'evidence'],
    rows: claims.map(({ name, evidence, holds }) => [name, `${holds ? '' : 'does not hold: '}${evidence}`]),
  }
}

/** Six digits, and no more than that. */
function show(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)))
}
