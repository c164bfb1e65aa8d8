// The page of a record of bench:start.
import { busyNote } from '../quiet.mjs'
import { markdownTable } from '../table.mjs'

/** Milliseconds from the start of a process to its first score. */
export const GOAL = 150

const STEPS = {
  node: 'Node itself',
  modules: 'modules of the package',
  model: 'the addon, the file, its graph',
  plan: 'the plan: packed weights, buffers',
  score: 'the first score: reading FASTA, shuffles, all pairs',
}

export function page({ date, cpu, node, commit, runs, start }) {
  const { marks, api, cli } = start
  const steps = Object.entries(STEPS).map(([name, what], i, all) => ({
    step: what,
    ms: (marks[name] - (i === 0 ? 0 : marks[all[i - 1][0]])).toFixed(1),
    'done after': marks[name].toFixed(1),
  }))
  const processes = [
    { process: 'Node that does nothing', ...times(start.node) },
    { process: 'a program that scores one sequence', ...times(api) },
    { process: '`deeplift score` of one sequence into a file', ...times(cli) },
  ]
  const verdict = (ms) => (ms <= GOAL ? 'within' : '**above**')
  return `# How soon the first score is there

Made by \`npm run bench:start\` on ${date.slice(0, 10)}: ${cpu}, Node ${node}, commit ${commit}, medians of ${runs} cold processes.${busyNote(start.foreignCores)}

The network of the demo, one sequence of 200 bases beside 20 dinucleotide shuffles. The first score is there
${marks.score.toFixed(0)} ms after the start of the process, ${verdict(marks.score)} the goal of ${GOAL} ms:

${markdownTable(steps)}

Whole processes, from their start to their end, in ms:

${markdownTable(processes)}

The command line is ${verdict(cli.median)} the goal. Most of the time is Node's own and that of loading modules: what few programs need, such as the
libraries for zip archives, is loaded when it is used, and a test counts what is loaded before.
`
}

function times({ median, min, max }) {
  return { median: median.toFixed(0), 'min-max': `${min.toFixed(0)}-${max.toFixed(0)}` }
}
