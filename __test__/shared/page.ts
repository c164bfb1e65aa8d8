/** docs/conformance.md: every expectation of every conformance case, and how far this package is from it. */

import {
  CANCELLING,
  type Case,
  type Category,
  DEEP,
  type Expectation,
  type Producer,
  PSEUDO_COUNT_SHOWS,
  REMARKS,
  ROUNDED_IN_FILE,
  VARIANTS,
} from './cases.js'
import { comparisons, type Outcome, outcome } from './comparison.js'

export interface Entry {
  each: Case
  expectation: Expectation
  category: Category
}

/** Below this, numbers are the rounding of double precision. */
const NOTHING = 1e-15

const SHORT: [start: string, name: string][] = [
  ['captum', 'Captum'],
  ['tangermeme', 'tangermeme'],
  ['shap', 'SHAP'],
  ['deeplift', 'DeepLIFT'],
  ['independent', 'reference script'],
]

function nameOf({ name, version }: Producer): string {
  const [, short] = SHORT.find(([start]) => name.startsWith(start)) ?? []
  if (short === undefined) throw new Error(`no short name for ${name}`)
  return short === 'reference script' ? short : `${short} ${version}`
}

const unique = (list: readonly string[]) => [...new Set(list)]

function number(value: number | undefined): string {
  if (value === undefined) return '–'
  if (value < NOTHING) return '0'
  return value < 0.01 ? value.toExponential(0) : `${Number(value.toPrecision(2))}`
}

function methodOf({ id, method }: Expectation): string {
  const rest = [method.maxPool, method.softmax].filter((each) => typeof each === 'string')
  return rest.length > 0 ? `${id} (${rest.join('; ')})` : id
}

/** What other implementations give, those that agree first; an implementation run in two ways is two. */
function others({ producers, peers, tolerance }: Expectation): string {
  const makers = producers.map(nameOf)
  const rows = (peers ?? []).filter(({ producer }) => nameOf(producer) !== 'reference script')
  const agrees = ({ maxAbsDiffToExpected }: (typeof rows)[number]) =>
    maxAbsDiffToExpected <= Math.max(tolerance.atol, 1e-6)
  const agreeing = unique(rows.filter(agrees).map(({ producer }) => nameOf(producer))).filter(
    (name) => !makers.includes(name),
  )
  const differing = rows
    .filter((row) => !agrees(row))
    .map(
      ({ producer, maxAbsDiffToExpected, completenessMaxRelError }) =>
        `${nameOf(producer)}${producer.note?.startsWith('unmodified') ? ' without identities' : ''}: off by ${number(maxAbsDiffToExpected)}, completeness ${number(completenessMaxRelError)}`,
    )
  return [...(agreeing.length > 0 ? [`${agreeing.join(', ')}: equal`] : []), ...unique(differing)].join('; ')
}

/** What the data say of other implementations, in the order of first mention. */
class Notes {
  readonly texts: string[] = []

  /** `Captum, SHAP: note 2`, for the notes of one expectation. */
  of({ peers }: Expectation): string[] {
    const by = new Map<string, string[]>()
    for (const { producer, note } of peers ?? []) {
      if (note === null || nameOf(producer) === 'reference script') continue
      by.set(note, unique([...(by.get(note) ?? []), nameOf(producer).split(' ')[0]!]))
    }
    return [...by].map(([note, names]) => `${names.join(', ')}: note ${this.#number(note)}`)
  }

  #number(note: string): number {
    const at = this.texts.indexOf(note)
    return at >= 0 ? at + 1 : this.texts.push(note)
  }
}

/** Why values are not compared or differ: ours on purpose, or those of other implementations. */
function remarks({ each, expectation, category }: Entry, notes: Notes): string {
  const { id, group } = each
  const shows = Object.keys(PSEUDO_COUNT_SHOWS).some((where) => where.startsWith(`${id}: ${expectation.id},`))
  const rounded = ROUNDED_IN_FILE[id]
  return [
    ...(category === 'required' ? [] : [REMARKS[category]]),
    ...Object.entries(VARIANTS[id] ?? {}).map(
      ([name, value]) => `with ${name} \`${value}\`, which is not the default`,
    ),
    ...(shows ? ['multipliers of empty parts: our limit beside a pseudo-count of 1e-7'] : []),
    ...(rounded ? [`expected values were made with exact ${rounded.constants}, which the file rounds`] : []),
    ...(CANCELLING.includes(`${group}/${id}`) || `${group}/${id}` in DEEP
      ? ['terms of f(x) cancel, so that its rounding is relatively large']
      : []),
    ...notes.of(expectation),
  ].join('; ')
}

async function row(entry: Entry, notes: Notes): Promise<string> {
  const { each, expectation, category } = entry
  const compared = async (precision: 'float32' | 'float64'): Promise<Outcome | undefined> =>
    category === 'required' && comparisons(each, expectation, precision).length > 0
      ? outcome(each, expectation, precision)
      : undefined
  const single = await compared('float32')
  const double = await compared('float64')
  const cells = [
    each.id,
    methodOf(expectation),
    unique(expectation.producers.map(nameOf)).join(', '),
    number(single?.difference),
    number(double?.difference),
    number(single?.completeness),
    number(double?.completeness),
    number(expectation.completeness.maxRelError),
    others(expectation),
    remarks(entry, notes),
  ]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

const HEAD = `# Conformance

Made by \`npm run docs\` where the conformance data are (\`conformance\` in the folder that \`DEEPLIFT_SHARED\` names, or
\`../shared\`): models, inputs, references, and scores computed by other implementations. Every expectation of every
case is one line.

- _difference_: the largest |ours − expected| over all targets, examples and inputs, relative to the largest expected
  value, in single and in double precision. **–**: not compared, as the remark says, or no values of that precision.
- _completeness_: |sum of contributions − difference of the output|, relative; ours in single and double precision, then
  that of the expected values. Gradients, guided backpropagation and the original max-pool rule do not promise any.
- _others_: implementations that computed the same case; how far they are from the expected values (absolute) and their
  completeness.

Differences on purpose are explained in [decision 6](decisions/0006-where-we-differ.md). Small numbers are rounded
to one digit; 0 is below 1e-15. Machines differ in the last bits, so the test of this page lets numbers differ a hundredfold;
the tests of the cases hold every value to the tolerance that its case states.`

const TABLE = `| case | expectation | values from | difference f32 | f64 | completeness f32 | f64 | theirs | others | remark |
|---|---|---|---|---|---|---|---|---|---|`

export async function conformancePage(entries: readonly Entry[]): Promise<string> {
  const count = (category: Category) => entries.filter((entry) => entry.category === category).length
  const notes = new Notes()
  const sections = [HEAD]
  sections.push(
    `${entries.length} expectations: ${count('required')} compared, ${entries.length - count('required')} not.`,
  )
  for (const group of unique(entries.map(({ each }) => each.group))) {
    const rows: string[] = []
    for (const entry of entries) if (entry.each.group === group) rows.push(await row(entry, notes))
    sections.push(`## ${group}`, [TABLE, ...rows].join('\n'))
  }
  const list = notes.texts.map((text, index) => `${index + 1}. ${text}`)
  if (list.length > 0)
    sections.push('## Notes', 'What the data say of other implementations.', list.join('\n'))
  return `${sections.join('\n\n')}\n`
}

const NUMBER = /(?<![\w.])\d+(?:\.\d+)?(?:e[+-]\d+)?(?![\w.])/g

/** The lines that differ, other than in numbers within a factor of a hundred of each other. */
export function differingLines(fresh: string, committed: string): [fresh: string, committed: string][] {
  const [a, b] = [fresh.split('\n'), committed.split('\n')]
  const differing: [string, string][] = []
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const [x = '', y = ''] = [a[index], b[index]]
    if (!similar(x, y)) differing.push([x, y])
  }
  return differing
}

function similar(x: string, y: string): boolean {
  const text = (line: string) => line.replace(NUMBER, '#')
  const numbers = (line: string) =>
    [...line.matchAll(NUMBER)].map(([each]) => Math.max(Number(each), NOTHING))
  const others = numbers(y)
  return (
    text(x) === text(y) &&
    numbers(x).every((value, index) => Math.abs(Math.log10(value / others[index]!)) <= 2)
  )
}
