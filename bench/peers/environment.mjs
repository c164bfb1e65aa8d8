// The Python environment of the peers: bench/peers/.venv, made on the first run.
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('.venv', import.meta.url))
const REQUIREMENTS = fileURLToPath(new URL('requirements.txt', import.meta.url))
const TWIN = fileURLToPath(new URL('twin.py', import.meta.url))
/** The requirements that were installed, so that a change of theirs is noticed. */
const STAMP = join(FOLDER, 'installed.txt')
const PYTHON = join(FOLDER, ...(process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python']))
const NAMED = ['torch', 'tangermeme', 'captum', 'shap', 'numpy']

/** Whether it was made already. */
export function isInstalled() {
  return existsSync(STAMP) && readFileSync(STAMP, 'utf8') === readFileSync(REQUIREMENTS, 'utf8')
}

/** The path of its interpreter. Installing takes minutes and, on Linux, 7 GB of disk. */
export function python() {
  if (!isInstalled()) {
    console.error(`Installing the peers into ${FOLDER}`)
    run('python3', ['-m', 'venv', FOLDER])
    run(PYTHON, ['-m', 'pip', 'install', '--quiet', '--requirement', REQUIREMENTS])
    copyFileSync(REQUIREMENTS, STAMP)
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

/** A PyTorch module with the weights of an ONNX file, as a file in `folder`; returns its path. */
export function makeTwin(interpreter, model, output, folder) {
  const twin = join(folder, 'twin.pt')
  run(interpreter, [TWIN, model, output, twin])
  return twin
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`)
}
