// Runs the benchmark, which lives in a package of its own so that the root install stays light.
// Its dependencies are installed on the first run only.
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

if (!existsSync(join(bench, 'node_modules'))) npm('ci')
npm('start', '--', ...process.argv.slice(2))
