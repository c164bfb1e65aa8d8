// The page of a record of bench:scaling.
import { busyNote } from '../quiet.mjs'
import { markdownTable } from '../table.mjs'
import { BASE, SWEEPS } from './sweeps.mjs'

const WHY = {
  references:
    'A sequence is run forward once and compared with each reference, which takes a forward pass and a multiplier pass. ' +
    'So cost is a straight line whose intercept is one forward pass. Peers run the sequence again for every reference, ' +
    'and the multiplier pass for both: no intercept, and twice the slope for the same speed of a pass.',
  length: 'Convolutions cost the same at every position. What does not grow with length is the dense head.',
  batch:
    'Sequences do not share work, and memory is reused: a larger call costs more in proportion, and nothing is gained by ' +
    'looking for a batch size. Peers grow slower with the batch once its tensors outgrow the caches.',
  channels:
    'Hidden layers multiply each pair of channels, so cost grows with the square; narrow layers pay relatively more for ' +
    'what is done once per value, and their channels are padded to full registers.',
  width:
    'Direct convolution costs in proportion to the width of kernels. Variants that share products between outputs grow less.',
  threads:
    'Threads take whole sequences, or groups of references, and do not wait for each other within a pass.',
}

export function page({ date, cpu, node, rounds, commit, sweeps }) {
  const sections = SWEEPS.map((sweep) => {
    const { points, law, peer } = sweeps.find(({ name }) => name === sweep.name)
    return `## ${sweep.name[0].toUpperCase()}${sweep.name.slice(1)}

![Cost by ${sweep.name}](scaling-${sweep.name}.svg)

${WHY[sweep.name]}

${law.holds ? 'Measured' : '**The law does not hold here.** Measured'}: ${law.text}.${peer ? ` ${beside(peer, law)}` : ''}

${markdownTable(
  points.map(({ x, msPerCall, msPerSequence, msPerPair, gflopPerPass }, i) => ({
    [sweep.axis]: x,
    'ms per call': msPerCall.toFixed(2),
    'ms per sequence': msPerSequence.toFixed(2),
    'ms per pair': msPerPair.toFixed(3),
    'GFLOP per pass': gflopPerPass.toFixed(4),
    ...(peer && { [`${peer.name}, ms per sequence`]: peer.points[i].msPerSequence.toFixed(1) }),
  })),
)}`
  })
  const foreign = Math.max(...sweeps.flatMap(({ points }) => points.map(({ foreignCores }) => foreignCores)))
  return `# How cost grows

Made by \`npm run bench:scaling\` on ${date.slice(0, 10)}: ${cpu}, Node ${node}, commit ${commit}, medians of ${rounds} rounds.${busyNote(foreign)}

The network is a tower over one-hot sequences: a convolution of width 21, three residual convolutions with dilation 2,
the mean over positions and a dense layer of one output, with random weights. One thing varies at a time from
${BASE.sequences} sequences of ${BASE.length} bases with ${BASE.references} references each, ${BASE.filters} filters of width ${BASE.width}, one thread. Lines are fitted
to the points so that relative distances are least.

${sections.join('\n\n')}
`
}

function beside({ name, batch, line: { slope, intercept } }, { line }) {
  return `${name}, ${batch} pairs at a time, takes ${intercept.toFixed(2)} + ${slope.toFixed(2)} R ms for the same scores: its slope is ${(slope / line.slope).toFixed(1)} times ours.`
}
