// What a record of times must say to be understood later: the machine and the versions.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, availableParallelism, cpus, platform } from 'node:os'

const require = createRequire(import.meta.url)

/** `{ cpu, threads, platform, node, deeplift, commit, onnxruntime }`. */
export function machine() {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    threads: availableParallelism(),
    platform: `${platform()}-${arch()}`,
    node: process.version,
    deeplift: version(new URL('../package.json', import.meta.url)),
    commit: commit(),
    onnxruntime: require('onnxruntime-node/package.json').version,
  }
}

function version(url) {
  return JSON.parse(readFileSync(url, 'utf8')).version
}

/** Of the sources, which need not be what was built; null outside of a repository. */
function commit() {
  try {
    const args = ['rev-parse', '--short', 'HEAD']
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return null
  }
}
