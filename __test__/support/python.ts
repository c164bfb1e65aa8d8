/**
 * Programs of others that read our files, from PyPI.
 *
 * Each set of them is installed once, into a virtual environment in the cache of the user. Tests that need one are
 * skipped where Python or the registry is out of reach, and say so; an installation that fails otherwise is an error.
 */

import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The files `python-NAME.txt` beside this one. */
export type PythonSet = 'readers' | 'modisco'

const OUT_OF_REACH = /NewConnectionError|ConnectTimeout|ReadTimeout|ProxyError|Max retries|Temporary failure/

/** Longer than an installation takes. */
const PATIENCE_MS = 600_000

interface Environment {
  folder: string
  /** Why it is not there. */
  missing?: string
}

const environments = new Map<PythonSet, Environment>()

/** Why tests that need these packages are skipped; undefined where they are installed. */
export function missingPython(set: PythonSet): string | undefined {
  return environmentOf(set).missing
}

/** The name of a test, with why it is skipped. */
export function named(test: string, missing: string | undefined): string {
  return missing === undefined ? test : `${test} (skipped: ${missing})`
}

/** Runs a program with its arguments, `-c CODE` or a script of the environment, and gives what it prints. */
export function runPython(set: PythonSet, args: readonly string[]): string {
  const { folder } = environmentOf(set)
  const [script, ...rest] = args
  const path = join(folder, 'bin', script!)
  const command = existsSync(path) ? [path, ...rest] : args
  return execFileSync(join(folder, 'bin', 'python'), command, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Runs code and parses what it prints as JSON. */
export function python(set: PythonSet, code: string, args: readonly string[]): unknown {
  return JSON.parse(runPython(set, ['-c', code, ...args]))
}

function environmentOf(set: PythonSet): Environment {
  let environment = environments.get(set)
  if (!environment) {
    environment = install(set)
    environments.set(set, environment)
  }
  return environment
}

function install(set: PythonSet): Environment {
  const requirements = fileURLToPath(new URL(`python-${set}.txt`, import.meta.url))
  const hash = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12)
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache')
  const folder = join(cache, 'deeplift', `python-${set}-${hash}`)
  const stamp = join(folder, 'installed')
  if (existsSync(stamp)) return { folder }
  if (spawnSync('python3', ['-m', 'venv', '--help'], { stdio: 'ignore' }).status !== 0)
    return { folder, missing: 'there is no python3 with venv' }
  mkdirSync(join(cache, 'deeplift'), { recursive: true })
  const unlock = lock(`${folder}.lock`, stamp)
  try {
    if (existsSync(stamp)) return { folder }
    rmSync(folder, { recursive: true, force: true })
    execFileSync('python3', ['-m', 'venv', folder])
    const pip = ['-m', 'pip', 'install', '--quiet', '--retries', '1', '--timeout', '15', '-r', requirements]
    const { status, stderr } = spawnSync(join(folder, 'bin', 'python'), pip, { encoding: 'utf8' })
    if (status === 0) {
      writeFileSync(stamp, '')
      return { folder }
    }
    rmSync(folder, { recursive: true, force: true })
    if (!OUT_OF_REACH.test(stderr)) throw new Error(`pip install -r ${requirements}: ${stderr}`)
    return { folder, missing: 'PyPI cannot be reached' }
  } finally {
    unlock()
  }
}

/** Test files are processes of their own: one installs, the others wait. */
function lock(path: string, stamp: string): () => void {
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (const started = Date.now(); ; Atomics.wait(pause, 0, 0, 500)) {
    try {
      mkdirSync(path)
      break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    if (existsSync(stamp)) return () => {}
    // Whoever held it was killed.
    if (Date.now() - started > PATIENCE_MS) break
  }
  return () => rmdirSync(path)
}
