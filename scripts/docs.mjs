// Writes the pages that are generated: docs/operators.md from the registry of operators, and docs/conformance.md where
// the conformance data are (DEEPLIFT_SHARED, or ../shared).
import { spawnSync } from 'node:child_process'

const env = { ...process.env, UPDATE_DOCS: '1' }
run('cargo', ['test', '-p', 'deeplift-engine', '--test', 'properties', 'catalogue'])
run('npx', ['vitest', 'run', '__test__/shared/conformance.test.ts', '-t', 'is current'])

function run(command, args) {
  const { status } = spawnSync(command, args, { stdio: 'inherit', env, shell: process.platform === 'win32' })
  if (status !== 0) process.exit(status ?? 1)
}
