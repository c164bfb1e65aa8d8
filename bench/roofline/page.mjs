// The page of a record of bench:roofline.

import { busyNote } from '../quiet.mjs'
import { markdownTable } from '../table.mjs'
import { analyse, peakShare } from './analyse.mjs'

/** Steps that take less of a pair than this are counted together. */
const SMALL = 0.005
/** Kinds of steps that a network's text names. */
const NAMED = 3

export function page({ date, cpu, node, commit, rounds, networks }) {
  const all = networks.map(({ limits, ...measured }) => analyse(measured, limits))
  const foreign = Math.max(...networks.map(({ foreignCores }) => foreignCores))
  return `# How close to the limits of the processor

Made by \`npm run bench:roofline\` on ${date.slice(0, 10)}: ${cpu}, instruction set ${all[0].limits.isa}, Node ${node}, commit ${commit}, one thread, the fastest of ${rounds} calls.${busyNote(foreign)}

A step of a plan cannot take less time than its operations take at the processor's peak of multiply-adds, nor less than
its bytes take to be read. The larger of the two is its **floor**; what a step takes above its floor is **left** to be
gained, with the kernel that it has: one with fewer operations has a lower floor. Peak and bandwidths are measured just
before each network, as clocks of virtual machines change.

- **Executed** operations are products of the kernel that was chosen, with those that only fill up a vector, but without
  the transforms that Winograd takes; **dense** ones are those of the same layer counted directly. Where the second is
  above the first, the kernel saves products.
- **Bytes** count every buffer and all weights once. They come from the nearest cache that holds all that a step touches
  for the pairs that go through it together. Bandwidths are those of reading, the fastest that memory can be: steps that
  write as much as they read do not reach them.
- Times are of ReLUs, residual sums and products with records too, where a kernel computes them as it stores.
- **Outside of steps** are references written as values, the sum over references, copies from and to JavaScript.

${limitsTable(all)}

![Rooflines](roofline.svg)

Points are steps, their size the share of a pair's time; lines are what memory allows at so many operations per byte, and
what the processor allows.

## All networks

Milliseconds per pair; shares of the peak as executed and counted densely:

${markdownTable(all.map(summary))}

${all.map(section).join('\n\n')}
`
}

function limitsTable(all) {
  const range = (values) => {
    const [least, most] = [Math.min(...values), Math.max(...values)].map((value) => value.toFixed(0))
    return least === most ? least : `${least}-${most}`
  }
  const level = (i) => {
    const { name, bytes } = all[0].limits.levels[i]
    const size = bytes === undefined ? 'beyond' : `up to ${bytes / 2 ** 20} MiB`
    return {
      limit: `reading from ${name}, ${size}`,
      found: `${range(all.map(({ limits }) => limits.levels[i].gbPerSecond))} GB/s`,
    }
  }
  const peak = {
    limit: 'multiply-adds on registers',
    found: `${range(all.map(({ limits }) => limits.gflops))} GFLOP/s`,
  }
  return markdownTable([peak, ...all[0].limits.levels.map((_, i) => level(i))])
}

function summary({ network, all, passes, limits }) {
  const [example, forward, adjoint] = passes
  return {
    network,
    'ms per pair': fixed(all.ms),
    'forward of the example': fixed(example.ms),
    'forward of the reference': fixed(forward.ms),
    adjoint: fixed(adjoint.ms),
    outside: fixed(all.outside),
    executed: percent(peakShare(all, limits)),
    dense: percent(peakShare({ ...all, flops: all.denseFlops }, limits)),
    left: fixed(all.leftMs),
    'left, share': percent(all.leftMs / all.ms),
  }
}

function section({ network, references, steps, all, passes, limits }) {
  const [example] = passes
  const shown = steps.filter(({ pass, ms }) => pass !== 'example' && ms >= SMALL * all.ms)
  const hidden = steps.filter((step) => step.pass !== 'example' && !shown.includes(step))
  const bound = shown.filter(({ computeMs, memoryMs }) => memoryMs > computeMs)
  const ms = (rows) => rows.reduce((sum, row) => sum + row.ms, 0)
  return `## ${network}

A pair takes ${fixed(all.ms)} ms, of which ${fixed(all.floorMs)} ms are floors and ${fixed(all.leftMs)} ms (${percent(all.leftMs / all.ms)}) are left. Most is left in ${mostLeft(steps, all)}. ${percent(ms(bound) / all.ms)} of the time is spent in steps whose bytes take longer than their operations would.

${markdownTable(shown.map((step) => stepRow(step, all, limits)))}

Of the rest, ${hidden.length} smaller steps take ${fixed(ms(hidden))} ms, the forward pass of the example, shared by ${references} references, ${fixed(example.ms)} ms, and ${fixed(all.outside)} ms are outside of steps.`
}

/** Steps of one kind, in one pass, together. */
function mostLeft(steps, { ms, outside }) {
  const kinds = new Map([['what is outside of steps', outside]])
  for (const { op, kernel, pass, leftMs } of steps) {
    const own = `${op} ${pass}${kernel && ` by ${kernel}`}`
    const kind = pass === 'example' ? 'the forward pass of the example' : own
    kinds.set(kind, (kinds.get(kind) ?? 0) + leftMs)
  }
  const sorted = [...kinds].sort(([, a], [, b]) => b - a).slice(0, NAMED)
  return sorted.map(([kind, left]) => `${kind} (${percent(left / ms)} of the time)`).join(', ')
}

function stepRow(step, all, limits) {
  const { level } = step
  const gbPerSecond = step.bytes / step.ms / 1e6
  const rate = (flops) => (flops > 0 ? (flops / step.ms / 1e6).toFixed(0) : '')
  return {
    step: [step.node, step.shape.join(' × '), ...step.along.map((op) => `+ ${op}`)].join(' '),
    pass: step.pass,
    kernel: step.kernel,
    µs: (1e3 * step.ms).toFixed(1),
    'of the time': percent(step.ms / all.ms),
    'GFLOP/s': rate(step.flops),
    dense: rate(step.denseFlops),
    'of peak': step.flops > 0 ? percent(peakShare(step, limits)) : '',
    kB: (step.bytes / 1e3).toFixed(0),
    from: level.name,
    'of bandwidth': percent(gbPerSecond / level.gbPerSecond),
    'left, µs': (1e3 * step.leftMs).toFixed(1),
  }
}

function fixed(ms) {
  return ms < 1 ? ms.toPrecision(3) : ms.toFixed(2)
}

function percent(share) {
  return `${(100 * share).toFixed(0)} %`
}
