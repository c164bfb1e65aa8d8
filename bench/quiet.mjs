// Whether other programs used the processor while something was timed.
import { readFileSync } from 'node:fs'

/** Of /proc: `USER_HZ`, which Linux fixes at 100 towards programs. */
const TICKS_PER_SECOND = 100

/** Cores that others may use while something is timed. */
export const FOREIGN_LIMIT = 0.12

const TRIES = 3

/** What pages say of times that were taken beside other programs; nothing of others. */
export function busyNote(foreign) {
  if (!(foreign > FOREIGN_LIMIT)) return ''
  return `\n\n**The machine was busy**: other programs used up to ${foreign.toFixed(1)} cores meanwhile, so that times are longer than they need be.`
}

/**
 * Does `measure` until other processes than this one and `pids` used less than 0.12 cores meanwhile, three times at
 * most. Returns its result with `foreign`, in cores; null where the system does not tell.
 */
export async function quietly(pids, measure) {
  for (let trial = 1; ; trial++) {
    const before = usage(pids)
    const result = await measure()
    const foreign = foreignCores(before, usage(pids))
    if (foreign === null || foreign < FOREIGN_LIMIT || trial === TRIES) return { ...result, foreign }
  }
}

function foreignCores(before, after) {
  if (before === null) return null
  const busy = after.busy - before.busy
  const own = after.own - before.own
  const seconds = (after.time - before.time) / 1e3
  return Math.max(0, (busy - own) / TICKS_PER_SECOND / seconds)
}

/** Ticks that all processes used (and that a host took away), and those of `pids` and this process with ended children. */
function usage(pids) {
  try {
    const [user, nice, system, , , irq, softirq, steal] = fields('/proc/stat', 1)
    const own = [process.pid, ...pids].reduce((sum, pid) => {
      const [utime, stime, ofUserChildren, ofSystemChildren] = fields(`/proc/${pid}/stat`, 11)
      return sum + utime + stime + ofUserChildren + ofSystemChildren
    }, 0)
    return { busy: user + nice + system + irq + softirq + steal, own, time: performance.now() }
  } catch (error) {
    if (error.code === 'ENOENT') return null
    throw error
  }
}

/** Numbers of the first line of a file from the field `first` on, counted after the name of a program if it has one. */
function fields(path, first) {
  const [line] = readFileSync(path, 'utf8').split('\n')
  const values = line.slice(line.lastIndexOf(')') + 1)
  return values.trim().split(/\s+/).slice(first).map(Number)
}
