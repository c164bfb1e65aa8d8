/** `deeplift doctor`: what this machine offers, and what is wrong with the installation. */

import { availableParallelism, cpus, release, totalmem } from 'node:os'
import type { Command } from 'commander'
import { DeepLiftError } from '../../errors.js'
import { type NativeEnvironment, nativeEnvironment } from '../../native.js'
import { createReporter, table, withPrefix } from '../console.js'
import { EXIT } from '../exit-code.js'

/** The oldest Node-API that the native part can be built for. */
const NODE_API = 9

interface Diagnosis {
  platform: string
  cpu: string
  threads: number
  memory: number
  node: string
  nodeApi: string
  native: NativeEnvironment | null
  /** The value of DEEPLIFT_ISA, which forces an instruction set. */
  forcedIsa: string | null
  problems: string[]
  advice: string[]
}

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('show platform, instruction sets and versions, and what is wrong with the installation')
    .option('--json', 'print JSON')
    .action(({ json }: { json?: boolean }) => {
      const diagnosis = diagnose()
      createReporter(json === true).result(() => asText(diagnosis), diagnosis)
      if (diagnosis.problems.length > 0) process.exitCode = EXIT.internal
    })
}

function diagnose(): Diagnosis {
  const problems: string[] = []
  const advice: string[] = []
  const forcedIsa = process.env.DEEPLIFT_ISA ?? null
  const nodeApi = process.versions.napi ?? 'unknown'
  if (!(Number(nodeApi) >= NODE_API))
    problems.push(`Node-API ${nodeApi} is too old; ${NODE_API} is needed: install Node 20.17 or newer`)
  let native: NativeEnvironment | null = null
  try {
    native = nativeEnvironment()
  } catch (error) {
    if (!(error instanceof DeepLiftError)) throw error
    problems.push(error.message)
  }
  if (native) {
    if (native.problem !== null) problems.push(native.problem)
    else if (forcedIsa !== null)
      advice.push(`DEEPLIFT_ISA=${forcedIsa} is set, so ${native.isa} is used; unset it for the fastest`)
    else if (native.isa === 'scalar')
      advice.push('no vector instruction set is in use: scoring is correct but several times slower')
  }
  const [cpu] = cpus()
  return {
    platform: `${process.platform} ${process.arch} (${release()})`,
    cpu: cpu?.model.trim() ?? 'unknown',
    threads: availableParallelism(),
    memory: totalmem(),
    node: process.versions.node,
    nodeApi,
    native,
    forcedIsa,
    problems,
    advice,
  }
}

function asText(diagnosis: Diagnosis): string {
  const { native, forcedIsa, problems, advice } = diagnosis
  const rows = [
    ['platform', diagnosis.platform],
    ['cpu', diagnosis.cpu],
    ['threads', String(diagnosis.threads)],
    ['memory', withPrefix(diagnosis.memory, 'B')],
    ['node', `${diagnosis.node}, Node-API ${diagnosis.nodeApi}`],
    ['native', native ? `loaded, version ${native.version}` : 'not loaded'],
    ...(native ? [['instructions', `${native.isa} (available: ${native.available.join(', ')})`]] : []),
    ...(native
      ? [['bf16', native.bf16Unit ?? `in float32: ${native.amxMissing ?? 'DEEPLIFT_AMX is off'}`]]
      : []),
    ['DEEPLIFT_ISA', forcedIsa ?? 'not set'],
  ]
  const verdict =
    problems.length === 0 ? ['everything needed is there'] : problems.map((problem) => `problem: ${problem}`)
  return [table(rows), '', ...verdict, ...advice.map((text) => `advice: ${text}`)].join('\n')
}
