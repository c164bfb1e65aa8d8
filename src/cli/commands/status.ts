/** `deeplift status`: how much of a job is done. */

import { stat } from 'node:fs/promises'
import type { Command } from 'commander'
import { DeepLiftError } from '../../errors.js'
import { createReporter } from '../console.js'
import { blockExists, blockPath, blockRange, checkBlock } from '../jobs/block.js'
import { type Manifest, readManifest } from '../jobs/manifest.js'

/** Numbers of blocks that are shown; programs get all of them as JSON. */
const SHOWN = 10

export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .description('say which blocks of a job are done, missing or damaged')
    .argument('<job>', 'folder of the job')
    .option('--verify', 'read every block and check it')
    .option('--json', 'print the status as JSON')
    .action(async (folder: string, { verify, json }: { verify?: boolean; json?: boolean }) => {
      const manifest = await readManifest(folder)
      const found = await look(folder, manifest, verify === true)
      const { kept } = manifest.regions
      const lines = [
        `${found.done} of ${kept} regions are done (${Math.floor((100 * found.done) / kept)}%), ` +
          `in ${manifest.blocks - found.missing.length - found.damaged.length} of ${manifest.blocks} blocks`,
        ...list('missing', found.missing),
        ...list('damaged', found.damaged),
        ...(found.lastWritten === undefined ? [] : [`last block: ${found.lastWritten}`]),
      ]
      createReporter(json === true).result(() => lines.join('\n'), {
        ...found,
        complete: found.done === kept,
        regions: kept,
        blocks: manifest.blocks,
        dropped: manifest.regions.dropped,
        parameters: manifest.parameters,
      })
    })
}

async function look(folder: string, manifest: Manifest, verify: boolean) {
  const missing: number[] = []
  const damaged: number[] = []
  let done = 0
  let last = 0
  for (let block = 0; block < manifest.blocks; block++) {
    if (!(await blockExists(folder, block))) missing.push(block)
    else if (verify && !(await isSound(folder, manifest, block))) damaged.push(block)
    else {
      const { first, end } = blockRange(manifest, block)
      done += end - first
      last = Math.max(last, (await stat(blockPath(folder, block))).mtimeMs)
    }
  }
  return { done, missing, damaged, lastWritten: last > 0 ? new Date(last).toISOString() : undefined }
}

async function isSound(folder: string, manifest: Manifest, block: number): Promise<boolean> {
  return await checkBlock(folder, manifest, block).then(
    () => true,
    (error) => {
      if (error instanceof DeepLiftError && error.code === 'FILE_FORMAT') return false
      throw error
    },
  )
}

function list(what: string, blocks: readonly number[]): string[] {
  if (blocks.length === 0) return []
  const more = blocks.length - SHOWN
  return [`${what}: ${blocks.slice(0, SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`]
}
