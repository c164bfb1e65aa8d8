/** Options that every command with a model shares. */

import type { Command } from 'commander'
import { DeepLift, type LoadOptions } from '../model.js'
import type { PlanChoices } from '../options/score-options.js'
import { parseCount } from './arguments.js'

export interface ModelArguments {
  threads?: string
  memory?: string
  channelAxis?: string
}

export function addModelOptions(command: Command): Command {
  return command
    .option('--threads <n>', 'threads that compute (default: those that the system offers)')
    .option('--memory <amount>', "memory for activations, such as 2GB or 512MiB (default: '1GB')")
    .option('--channel-axis <n>', 'axis of the input that holds A, C, G, T, counted with the batch axis')
}

export async function loadModel(path: string, { threads, memory }: ModelArguments): Promise<DeepLift> {
  const options: LoadOptions = {}
  if (threads !== undefined) options.threads = parseCount(threads, '--threads', 1)
  if (memory !== undefined) options.memory = memory
  return await DeepLift.load(path, options)
}

export function channelAxisOf({ channelAxis }: ModelArguments): Pick<PlanChoices, 'channelAxis'> {
  return channelAxis === undefined ? {} : { channelAxis: parseCount(channelAxis, '--channel-axis', 1) }
}

/** Collects the values of an option that may be given several times. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value]
}
