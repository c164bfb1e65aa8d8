// Python environments of benchmarks: `.venv` beside a requirements.txt, made on the first run.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const PLACE = process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python']

const requirementsOf = (folder) => join(folder, 'requirements.txt')
/** The requirements that were installed, so that a change of theirs is noticed. */
const stampOf = (folder) => join(folder, '.venv', 'installed.txt')

/** Whether it was made already. */
export function isInstalled(folder) {
  const stamp = stampOf(folder)
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === readFileSync(requirementsOf(folder), 'utf8')
}

/** The path of the interpreter of a folder. */
export function python(folder) {
  const environment = join(folder, '.venv')
  const interpreter = join(environment, ...PLACE)
  if (!isInstalled(folder)) {
    console.error(`Installing ${requirementsOf(folder)} into ${environment}`)
    run('python3', ['-m', 'venv', environment])
    run(interpreter, ['-m', 'pip', 'install', '--quiet', '--requirement', requirementsOf(folder)])
    copyFileSync(requirementsOf(folder), stampOf(folder))
  }
  return interpreter
}

export function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`)
}
