// Runs the benchmarks, which live in a package of their own so that the root install stays light.
// Its dependencies are installed on the first run only.
//
//   node scripts/bench.mjs start|peers|scaling|roofline|startup|io [argument]...
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const bench = fileURLToPath(new URL('../bench', import.meta.url))
const npm = (...args) => {
  const { status } = spawnSync('npm', ['--prefix', bench, ...args], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  if (status !== 0) process.exit(status ?? 1)
}

// Standard output belongs to the result: some of it is JSON.
if (!existsSync(join(bench, 'node_modules'))) npm('ci', '--silent')
const [command, ...args] = process.argv.slice(2)
npm('run', '--silent', command, '--', ...args)
