/** Builds dist/ once before the tests that run what users install, if anything in src/ is newer. */

import { execFileSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

export function setup(): void {
  if (newest(join(root, 'src')) <= newest(join(root, 'dist'))) return
  execFileSync(process.execPath, [join(root, 'scripts', 'build-ts.mjs')], { stdio: 'inherit' })
}

/** Time of the last change of a file in a folder; 0 where there is none. */
function newest(folder: string): number {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .reduce((latest, entry) => Math.max(latest, statSync(join(entry.parentPath, entry.name)).mtimeMs), 0)
  } catch {
    return 0
  }
}
