// The page of a record of bench:io.
import { busyNote } from '../quiet.mjs'
import { markdownTable } from '../table.mjs'

export function page({ date, cpu, node, commit, rounds, peers, sizes, io }) {
  const versions = Object.entries(peers).map(([name, version]) => `${name} ${version}`)
  const rows = io.cases.map(({ name, peer, bytes, ours, theirs, ratio }) => ({
    case: name,
    'ours, MB/s': rate(bytes, ours),
    peer,
    'peer, MB/s': rate(bytes, theirs),
    'ratio (min-max)': `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)}-${ratio.max.toFixed(2)})`,
  }))
  return `# Reading and writing files

Made by \`npm run bench:io\` on ${date.slice(0, 10)}: ${cpu}, Node ${node}, commit ${commit}, ${versions.join(', ')}; medians of ${rounds} rounds.${busyNote(io.foreignCores)}

Scores (N, 4, ${sizes.length}) of ${sizes.rows} sequences, and ${sizes.windows} windows of that length at random places of a genome of two chromosomes of
${(sizes.bases / 1e6).toFixed(0)} Mb. Both sides read the same files and must read the same; they take turns, each case in a process of its
own that does the work twice, of which the second time counts: start, loading and compilation do not. A ratio above 1 says that we are faster. MB are those of the arrays, not those of the files.

${markdownTable(rows)}

- Windows end as base codes, from letters of both cases, in one array.
- Writers wait for the disk (\`fsync\`) on both sides. Ours get 50 rows at a time, as in a job; the peers have the whole array in memory.
- HDF5 is the layout of ChromBPNet: one-hot sequences, scores, their product. Deflated is level 4 after a shuffle; ours deflates in
  Node's pool of threads, h5py in one. Reading is the HDF5 library on both sides, ours in WebAssembly, 248 rows at a time;
  more than half of our time goes into pages of fresh memory, of which numpy asks the system for large ones, as Node cannot.
- Ours of bigWig have ten levels of zoom, as have those of pyBigWig.
`
}

const rate = (bytes, { median }) => (bytes / 1e3 / median).toFixed(0)
