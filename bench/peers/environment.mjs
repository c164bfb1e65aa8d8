// The Python environment of the peers: bench/peers/.venv, made on the first run.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('.venv', import.meta.url))
const REQUIREMENTS = fileURLToPath(new URL('requirements.txt', import.meta.url))
/** The requirements that were installed, so that a change of theirs is noticed. */
const STAMP = join(FOLDER, 'installed.txt')
const PYTHON = join(FOLDER, ...(process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python']))
const NAMED = ['torch', 'tangermeme', 'captum', 'shap', 'numpy']

/** The path of its interpreter. Installing takes minutes and, on Linux, 7 GB of disk. */
export function python() {
  const wanted = readFileSync(REQUIREMENTS, 'utf8')
  if (!existsSync(STAMP) || readFileSync(STAMP, 'utf8') !== wanted) {
    console.error(`Installing the peers into ${FOLDER}`)
    run('python3', ['-m', 'venv', FOLDER])
    run(PYTHON, ['-m', 'pip', 'install', '--quiet', '--requirement', REQUIREMENTS])
    writeFileSync(STAMP, wanted)
  }
  return PYTHON
}

/** Versions of the interpreter and of the packages that matter. */
export function versions(interpreter) {
  const code = `import json, platform
from importlib.metadata import version
print(json.dumps({"python": platform.python_version(), **{name: version(name) for name in ${JSON.stringify(NAMED)}}}))`
  return JSON.parse(execFileSync(interpreter, ['-c', code], { encoding: 'utf8' }))
}

export function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`)
}
