/**
 * What a program loads before its first score: time that a start takes, counted without a clock. Modules of what few
 * programs need are loaded when they are used.
 */

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Of this package; raise it with a reason: each costs a fraction of a millisecond. */
const OWN_MODULES = 80

/** Files that `entry` and what it imports bring, as CommonJS, whose loader keeps a list: the same modules as in ESM. */
async function loadedBy(entry: string): Promise<string[]> {
  const program = `require(${JSON.stringify(entry)})
    process.stdout.write(JSON.stringify(Object.keys(require.cache)))`
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', program], { cwd: root })
  return JSON.parse(stdout) as string[]
}

/** Packages outside of this one, without those that they bring themselves. */
function packagesOf(files: readonly string[]): string[] {
  const names = files.flatMap((path) => /node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)/.exec(path)?.[1] ?? [])
  return [...new Set(names)].filter((name) => !name.startsWith('@protobufjs')).sort()
}

/** Files that an ES module and what it imports from this package are in; none that are imported when they are used. */
async function filesOf(path: string, seen = new Set<string>()): Promise<Set<string>> {
  if (seen.has(path)) return seen
  seen.add(path)
  const code = await readFile(path, 'utf8')
  for (const [, name] of code.matchAll(/^(?:import|export)\b[^;]*?["'](\.[^"']+)["'];?$/gm))
    await filesOf(join(dirname(path), name!), seen)
  return seen
}

describe("import 'deeplift'", async () => {
  const files = await loadedBy('./dist/cjs/index.cjs')
  const own = files.filter((path) => path.includes(`${sep}dist${sep}`))

  test('loads no package but the one that reads ONNX, with its integers', () => {
    expect(packagesOf(files)).toEqual(['long', 'protobufjs'])
  })

  test('does not load the addon', () => {
    expect(files.filter((path) => path.endsWith('.node'))).toEqual([])
  })

  test(`loads at most ${OWN_MODULES} modules of its own, none of the command line`, () => {
    expect(own.length).toBeGreaterThan(10)
    expect(own.length).toBeLessThanOrEqual(OWN_MODULES)
    expect(own.filter((path) => path.includes(`${sep}cli${sep}`))).toEqual([])
  })

  // One by one they would take longer than the first score.
  test.each(['dist/index.js', 'dist/cli/main.js'])(
    '%s: these modules are joined into few files',
    async (entry) => {
      const found = await filesOf(join(root, entry))
      expect([...found].map((path) => relative(root, path))).toContain(entry)
      expect(found.size).toBeGreaterThan(1)
      expect(found.size).toBeLessThanOrEqual(4)
    },
  )
})
