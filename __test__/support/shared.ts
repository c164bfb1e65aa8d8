/** Models and reference results that are not part of the repository: tests over them skip where they are absent. */

import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** Folder given by DEEPLIFT_SHARED, by default `shared` beside the repository. */
export const SHARED = resolve(process.env.DEEPLIFT_SHARED ?? '../shared')

/** Paths of the ONNX files directly in a folder of the shared data; empty where it is absent. */
export function sharedModels(folder: string): string[] {
  const path = join(SHARED, folder)
  if (!existsSync(path)) {
    console.warn(`${path} is absent: tests over it are skipped (set DEEPLIFT_SHARED to its parent)`)
    return []
  }
  return readdirSync(path)
    .filter((name) => name.endsWith('.onnx'))
    .sort()
    .map((name) => join(path, name))
}
