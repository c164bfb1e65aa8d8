/** This folder: compiled code lies elsewhere than the files that come with the source. */

import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

export const FOLDER = join(
  dirname(createRequire(import.meta.url).resolve('deeplift/package.json')),
  'examples',
  'reproduce',
)
