// What one thread of this machine can do: multiply-adds on registers, and reading from each cache and from memory.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fail } from '../arguments.mjs'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CACHES = '/sys/devices/system/cpu/cpu0/cache'
/** Where the system does not tell. */
const ASSUMED = { 2: 2 ** 20, 3: 2 ** 25 }
/** Times the last cache: reading so much comes from memory. */
const BEYOND = 8

/** Builds the program that measures; it is built as the addon is. */
export function buildLimits() {
  const args = [
    'build',
    '--release',
    '-p',
    'deeplift-simd',
    '--example',
    'limits',
    '--message-format',
    'json',
  ]
  const { status, stdout } = spawnSync('cargo', args, {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 28,
  })
  if (status !== 0) fail('the program that measures the limits of this machine was not built')
  const messages = stdout.split('\n').filter((line) => line.startsWith('{'))
  return messages.map((line) => JSON.parse(line)).find(({ executable }) => executable).executable
}

/**
 * `{ isa, gflops, levels }`: levels of memory `{ name, bytes, gbPerSecond }`, nearest first; what is larger than the
 * others is in the last one, which has no `bytes`.
 */
export function measureLimits(binary) {
  const sizes = cacheSizes()
  const read = [sizes[2] / 2, sizes[3] / 2, BEYOND * sizes[3]]
  const { isa, gflops, reading } = JSON.parse(execFileSync(binary, read.map(String), { encoding: 'utf8' }))
  const [second, third, memory] = reading.map(({ gbPerSecond }) => gbPerSecond)
  return {
    isa,
    gflops,
    levels: [
      { name: 'L2', bytes: sizes[2], gbPerSecond: second },
      { name: 'L3', bytes: sizes[3], gbPerSecond: third },
      { name: 'memory', gbPerSecond: memory },
    ],
  }
}

function cacheSizes() {
  const sizes = { ...ASSUMED }
  const entries = existsSync(CACHES) ? readdirSync(CACHES).filter((name) => /^index\d+$/.test(name)) : []
  for (const entry of entries) {
    const text = (name) => readFileSync(join(CACHES, entry, name), 'utf8').trim()
    if (text('level') in sizes) sizes[text('level')] = Number.parseInt(text('size'), 10) * 2 ** 10
  }
  return sizes
}
