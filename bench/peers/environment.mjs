// The Python environment of the peers: bench/peers/.venv, made on the first run.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as environment from '../python.mjs'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const TWIN = fileURLToPath(new URL('twin.py', import.meta.url))
const NAMED = ['torch', 'tangermeme', 'captum', 'shap', 'numpy']

/** Whether it was made already. */
export const isInstalled = () => environment.isInstalled(HERE)

/** The path of its interpreter. Installing takes minutes and, on Linux, 7 GB of disk. */
export const python = () => environment.python(HERE)

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
  environment.run(interpreter, [TWIN, model, output, twin])
  return twin
}
