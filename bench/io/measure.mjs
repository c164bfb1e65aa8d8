// Both sides in turn, each case in a process of its own.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { quietly } from '../quiet.mjs'
import { divide, spread } from '../statistics.mjs'
import { makeFiles } from './files.mjs'

const file = (name) => fileURLToPath(new URL(name, import.meta.url))

/** Names of cases, with the peer, and the bytes that are read or written. */
export const CASES = [
  ['windows of a FASTA file', 'pyfaidx', ({ length, windows }) => windows * length],
  ['read .npz', 'numpy', ({ length, rows }) => 16 * rows * length],
  ['write .npz', 'numpy', ({ length, rows }) => 16 * rows * length],
  ['read HDF5', 'h5py', ({ length, rows }) => 16 * rows * length],
  ['write HDF5', 'h5py', ({ length, rows }) => 36 * rows * length],
  ['write HDF5, deflated', 'h5py', ({ length, rows }) => 36 * rows * length],
  ['write bigWig', 'pyBigWig', ({ length, rows }) => 4 * rows * length],
]

/** Of each case `{ name, peer, bytes, ours, theirs, ratio }`: milliseconds and how often as fast we are, `{ median, min, max }`. */
export async function measureIo(interpreter, sizes, rounds) {
  const folder = mkdtempSync(join(tmpdir(), 'deeplift-io-'))
  try {
    await makeFiles(folder, sizes)
    const cases = []
    let foreignCores = 0
    for (const [name, peer, bytes] of CASES) {
      const [ours, theirs] = [[], []]
      // The first round brings files into memory and is not counted.
      for (let round = 0; round <= rounds; round++) {
        const { times, foreign } = await quietly([], () => ({
          times: [
            [process.execPath, file('ours.mjs')],
            [interpreter, file('peer.py')],
          ].map(([program, script]) => time(program, [script, folder, name])),
        }))
        checkAnswers(name, times)
        if (round === 0) continue
        foreignCores = Math.max(foreignCores, foreign)
        ours.push(times[0].ms)
        theirs.push(times[1].ms)
      }
      const ratio = spread(divide(theirs, ours))
      cases.push({ name, peer, bytes: bytes(sizes), ours: spread(ours), theirs: spread(theirs), ratio })
    }
    return { cases, foreignCores }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Sums of millions of terms in another order differ by rounding. */
export function checkAnswers(name, [ours, theirs]) {
  if (!(Math.abs(ours.answer - theirs.answer) <= 1e-6 * Math.max(1, Math.abs(theirs.answer))))
    throw new Error(`${name}: we read ${ours.answer}, the peer ${theirs.answer}`)
}

function time(program, args) {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${stderr}`)
  return JSON.parse(stdout)
}
