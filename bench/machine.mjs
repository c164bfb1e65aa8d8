// What a record of times must say to be understood later: the machine and the versions.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, availableParallelism, cpus, platform } from 'node:os'

const require = createRequire(import.meta.url)

/** Instruction sets on which kernels here or elsewhere depend, as Linux names them. */
const FLAGS = [
  'avx2',
  'fma',
  'avx512f',
  'avx512_vnni',
  'avx512_bf16',
  'avx512_fp16',
  'amx_tile',
  'amx_bf16',
  'asimd',
]

/** `{ cpu, flags, threads, platform, node, deeplift, commit, onnxruntime }`. */
export function machine() {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    flags: flags(),
    threads: availableParallelism(),
    platform: `${platform()}-${arch()}`,
    node: process.version,
    deeplift: version(new URL('../package.json', import.meta.url)),
    commit: commit(),
    onnxruntime: require('onnxruntime-node/package.json').version,
  }
}

/** Of the processor; empty where the system does not tell. */
function flags() {
  if (!existsSync('/proc/cpuinfo')) return []
  const [, list = ''] = readFileSync('/proc/cpuinfo', 'utf8').match(/^(?:flags|Features)\s*: (.*)$/m) ?? []
  const present = new Set(list.split(' '))
  return FLAGS.filter((flag) => present.has(flag))
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
