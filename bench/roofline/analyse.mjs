// What times of steps say beside the limits of the machine.

/** Of steps whose results another kernel computes while it has the values at hand. */
const ALONG = 'in the epilogue'
const PASSES = ['example', 'forward', 'adjoint']

/**
 * The steps that take time, each with what others do along with it, and the two floors of each: its operations at the
 * peak of multiply-adds, and its bytes from the level of memory that holds all it touches. No time is left below zero.
 */
export function analyse({ rows, msPerPair, ...measured }, limits) {
  const steps = gather(rows).map((row) => withFloors(row, limits))
  const inSteps = total(steps, 'ms')
  const outside = Math.max(0, msPerPair - inSteps)
  const passes = PASSES.map((pass) =>
    sums(
      pass,
      steps.filter((each) => each.pass === pass),
    ),
  )
  const all = { ...sums('pair', steps), ms: msPerPair, outside }
  all.leftMs += outside
  return { ...measured, limits, steps, passes, all }
}

/** Share of the peak at which operations are executed. */
export function peakShare({ flops, ms }, { gflops }) {
  return flops / ms / 1e6 / gflops
}

function gather(rows) {
  const gathered = []
  let kernel
  for (const row of rows) {
    if (row.kernel === ALONG && kernel?.pass === row.pass) {
      kernel.ms += row.ms
      kernel.bytes += row.bytes
      kernel.footprint += row.footprint
      kernel.along.push(row.op)
      continue
    }
    const own = { ...row, along: [] }
    gathered.push(own)
    // Sums and views stand between a kernel and what it computes along.
    if (row.flops > 0 || row.structure === 'selection' || kernel?.pass !== row.pass) kernel = own
  }
  return gathered
}

function withFloors(row, { gflops, levels }) {
  const level = levels.find(({ bytes }) => bytes === undefined || row.footprint <= bytes)
  const computeMs = row.flops / gflops / 1e6
  const memoryMs = row.bytes / level.gbPerSecond / 1e6
  const floorMs = Math.min(row.ms, Math.max(computeMs, memoryMs))
  return { ...row, level, computeMs, memoryMs, floorMs, leftMs: row.ms - floorMs }
}

function sums(pass, steps) {
  const keys = ['ms', 'flops', 'denseFlops', 'bytes', 'floorMs', 'leftMs']
  return { pass, ...Object.fromEntries(keys.map((key) => [key, total(steps, key)])) }
}

function total(rows, key) {
  return rows.reduce((sum, row) => sum + row[key], 0)
}
