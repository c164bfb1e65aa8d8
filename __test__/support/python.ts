/** Programs that read our files outside of Node: h5py and others, where a virtual environment has them. */

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const PYTHON = fileURLToPath(new URL('../../.venv/bin/python', import.meta.url))

/** Whether `.venv` has these modules; where not, tests that need them are skipped by name. */
export function pythonHas(...modules: readonly string[]): boolean {
  if (!existsSync(PYTHON)) return false
  try {
    execFileSync(PYTHON, ['-c', `import ${modules.join(', ')}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Runs a program and parses what it prints as JSON. */
export function python(program: string, args: readonly string[]): unknown {
  return JSON.parse(execFileSync(PYTHON, ['-c', program, ...args], { encoding: 'utf8' }))
}
