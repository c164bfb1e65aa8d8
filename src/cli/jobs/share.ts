/** Which blocks of a job one process computes. */

import { parseCount, usageOf } from '../arguments.js'

export interface Share {
  /** From 0. */
  index: number
  count: number
}

/** The variables in which schedulers tell a task of an array its number and how many there are. */
const SCHEDULERS = [
  { index: 'SLURM_ARRAY_TASK_ID', first: 'SLURM_ARRAY_TASK_MIN', count: 'SLURM_ARRAY_TASK_COUNT' },
  { index: 'AWS_BATCH_JOB_ARRAY_INDEX', count: 'AWS_BATCH_JOB_ARRAY_SIZE' },
  { index: 'JOB_COMPLETION_INDEX' },
] as const

/** The share that is asked for, or else that of the scheduler's array; without either, all blocks. */
export function shareOf(
  options: { index?: string; count?: string },
  environment: Readonly<Record<string, string | undefined>>,
): Share {
  const scheduler = SCHEDULERS.find(({ index }) => environment[index] !== undefined)
  const inArray = options.index === undefined && scheduler !== undefined
  const indexText = options.index ?? (scheduler && environment[scheduler.index])
  if (indexText === undefined) {
    if (options.count !== undefined)
      throw usageOf('shard', 'say which part is computed: --index N, from 0, or a scheduler’s array index.')
    return { index: 0, count: 1 }
  }
  const countText =
    options.count ?? (inArray && 'count' in scheduler ? environment[scheduler.count] : undefined)
  if (countText === undefined)
    throw usageOf('shard', 'say into how many parts the job is cut: --count N, the same for every part.')
  const count = parseCount(countText, options.count === undefined ? 'size of the array' : '--count', 1)
  const number = parseCount(indexText, inArray ? scheduler.index : '--index', 0)
  // With a count of their own, parts keep their numbers when some of them are submitted again.
  const counted = inArray && options.count === undefined && 'first' in scheduler
  const firstText = counted ? environment[scheduler.first] : undefined
  const index = number - (firstText === undefined ? 0 : parseCount(firstText, 'first index of the array', 0))
  if (index < 0 || index >= count)
    throw usageOf(
      'shard',
      `part ${index} of ${count} does not exist: parts are numbered from 0 to ${count - 1}.`,
    )
  return { index, count }
}

/** The blocks `[first, end)` of a share: shares are contiguous, and their sizes differ by one at most. */
export function blocksOf({ index, count }: Share, blocks: number): { first: number; end: number } {
  const edge = (share: number) => Math.floor((share * blocks) / count)
  return { first: edge(index), end: edge(index + 1) }
}
