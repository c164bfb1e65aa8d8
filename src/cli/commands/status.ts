/** `deeplift status`: how much of a job is done. */

import { stat } from 'node:fs/promises'
import type { Command } from 'commander'
import { createReporter } from '../console.js'
import { blockExists, blockPath, isSound } from '../jobs/block.js'
import { describeDone, type Manifest, placeOf, readManifest } from '../jobs/manifest.js'

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
      const all = manifest.passes.reduce((sum, { examples }) => sum + examples, 0)
      const done = found.done.reduce((sum, examples) => sum + examples, 0)
      const lines = [
        `${describeDone(manifest, found.done)} are done (${Math.floor((100 * done) / all)}%), ` +
          `in ${manifest.blocks - found.missing.length - found.damaged.length} of ${manifest.blocks} blocks`,
        ...list('missing', found.missing),
        ...list('damaged', found.damaged),
        ...(found.lastWritten === undefined ? [] : [`last block: ${found.lastWritten}`]),
      ]
      createReporter(json === true).result(() => lines.join('\n'), {
        ...found,
        done,
        examples: all,
        complete: done === all,
        passes: manifest.passes.map((pass, index) => ({ ...pass, done: found.done[index] })),
        blocks: manifest.blocks,
        command: manifest.command,
        parameters: manifest.parameters,
      })
    })
}

async function look(folder: string, manifest: Manifest, verify: boolean) {
  const missing: number[] = []
  const damaged: number[] = []
  const done = manifest.passes.map(() => 0)
  let last = 0
  for (let block = 0; block < manifest.blocks; block++) {
    if (!(await blockExists(folder, block))) missing.push(block)
    else if (verify && (await isSound(folder, manifest, block)) !== true) damaged.push(block)
    else {
      const { pass, first, end } = placeOf(manifest, block)
      done[pass]! += end - first
      last = Math.max(last, (await stat(blockPath(folder, block))).mtimeMs)
    }
  }
  return { done, missing, damaged, lastWritten: last > 0 ? new Date(last).toISOString() : undefined }
}

function list(what: string, blocks: readonly number[]): string[] {
  if (blocks.length === 0) return []
  const more = blocks.length - SHOWN
  return [`${what}: ${blocks.slice(0, SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`]
}
