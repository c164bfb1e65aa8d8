/** Jobs in a folder: their blocks, their results, and the moments to end them. */

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The files of `out`, by what follows the name. */
export async function resultsIn(folder: string, out: string): Promise<Map<string, Buffer>> {
  const names = (await readdir(folder)).filter((name) => name.startsWith(`${out}.`) && !name.endsWith('.job'))
  const files = names.map(
    async (name) => [name.slice(out.length), await readFile(join(folder, name))] as const,
  )
  return new Map(await Promise.all(files))
}

/** The complete blocks of the job of `out`. */
export async function blocksIn(folder: string, out: string): Promise<string[]> {
  const names = await readdir(join(folder, `${out}.job`, 'blocks')).catch(() => [])
  return names.filter((name) => name.endsWith('.npz'))
}

/** Resolves once there are so many blocks of `out`, or its results. */
export async function whenDone(folder: string, out: string, count: number): Promise<void> {
  const isDone = async () =>
    (await blocksIn(folder, out)).length >= count || (await readdir(folder)).includes(`${out}.params.json`)
  while (!(await isDone())) await new Promise((resolve) => setTimeout(resolve, 5))
}
