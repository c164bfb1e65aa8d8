/** Runs the built command line. */

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

export interface Finished {
  code: number | null
  stdout: string
  stderr: string
}

export interface RunOptions {
  stdin?: string
  env?: Record<string, string>
  /** Sends `signal` when it resolves. */
  interrupt?: Promise<unknown>
  /** Default SIGINT. */
  signal?: NodeJS.Signals
  cwd?: string
  /** Largest file that the command may write, in KiB. */
  fileLimit?: number
}

export async function runCli(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const { fileLimit, cwd } = options
  const command = [process.execPath, CLI, ...args]
  const [program, ...rest] =
    fileLimit === undefined
      ? command
      : ['bash', '-c', `ulimit -f ${fileLimit}; exec "$@"`, 'bash', ...command]
  const child = spawn(program!, rest, {
    env: { ...process.env, ...options.env },
    ...(cwd !== undefined && { cwd }),
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  options.interrupt?.then(() => child.kill(options.signal ?? 'SIGINT'))
  child.stdin.end(options.stdin ?? '')
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  return { code, stdout, stderr }
}
