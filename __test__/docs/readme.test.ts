/**
 * Every `ts` and `sh` block of the README and the guides is run as it stands.
 *
 * The `ts` blocks of one page form one program, in order, which is also type-checked; a page that does not load a
 * model starts with the model, inputs and references below. They run in a folder with the files that the pages name.
 */

import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeNpy } from '../../src/index.js'
import { CLI } from '../support/cli.js'
import { fastaOf } from '../support/genome.js'
import { DEMO_FASTA, DEMO_MODEL, oneHot, profileModel, randomCodes, randomFloats } from '../support/models.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const guides = join(root, 'docs', 'guides')
const run = promisify(execFile)

const PRELUDE = `
import { DeepLift } from 'deeplift'
const model = await DeepLift.load('model.onnx')
const inputs = { sequence: { data: Uint8Array.from({ length: 400 }, (_, i) => (i * i) % 4), shape: [2, 200] } }
const references = 'zeros'
`

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-docs-'))
  const at = (name: string) => join(folder, name)
  await mkdir(at('node_modules/.bin'), { recursive: true })
  await symlink(root, at('node_modules/deeplift'), 'dir')
  await symlink(join(root, 'node_modules', '@types'), at('node_modules/@types'), 'dir')
  await writeFile(at('node_modules/.bin/deeplift'), `#!/bin/sh\nexec "${process.execPath}" "${CLI}" "$@"\n`, {
    mode: 0o755,
  })
  await writeFile(at('package.json'), '{ "type": "module" }')
  await copyFile(DEMO_MODEL, at('model.onnx'))
  await writeFile(at('bpnet.onnx'), profileModel(200))
  const fasta = (await readFile(DEMO_FASTA, 'utf8')).split('\n').slice(0, 12).join('\n')
  await writeFile(at('peaks.fa'), fasta)
  await writeFile(at('peaks.fa.gz'), gzipSync(fasta))
  const genome = Array.from(randomCodes(2000, 4), (code) => 'ACGT'[code]).join('')
  await writeFile(at('genome.fa'), fastaOf({ chr1: genome }, 60))
  const peaks = [300, 10, 900, 1500].map((start) => `chr1\t${start}\t${start + 100}\t.\t0\t.\t1\t2\t3\t50\n`)
  await writeFile(at('peaks.narrowPeak'), peaks.join(''))
  const variants = [300, 700, 1500].map((start) => [
    `chr1`,
    start + 1,
    genome[start]!,
    `${genome[start]}GATA`,
  ])
  const vcf = variants.map(
    ([chrom, position, ref, alt]) => `${chrom}\t${position}\t.\t${ref}\t${alt},<DEL>\t.\t.\t.\n`,
  )
  await writeFile(at('variants.vcf.gz'), gzipSync(`##fileformat=VCFv4.4\n${vcf.join('')}`))
  await writeFile(at('variants.tsv'), variants.map((row, index) => `${row.join('\t')}\tv${index}\n`).join(''))
  const matrix = 'letter-probability matrix: alength= 4 w= 2\n 0.1 0.2 0.3 0.4\n 0.7 0.1 0.1 0.1\n'
  await writeFile(at('motifs.meme'), `MEME version 4\n\nMOTIF one\n${matrix}`)
  await writeNpy(at('peaks-control.npy'), {
    dtype: 'float32',
    shape: [4, 2, 192],
    data: randomFloats(1536, 5),
  })
  const codes = randomCodes(3 * 200, 1)
  await writeNpy(at('x.npy'), { dtype: 'float32', shape: [3, 4, 200], data: oneHot(codes, 200) })
  await writeNpy(at('control.npy'), { dtype: 'float32', shape: [6, 2, 192], data: randomFloats(2304, 3) })
  await writeNpy(at('references.npy'), { dtype: 'float32', shape: [2, 4, 200], data: randomFloats(1600, 2) })
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

const pages = ['README.md', ...(await readdir(guides)).map((name) => `docs/guides/${name}`)]

/** The code of the blocks of one language. */
async function blocks(page: string, language: string): Promise<string[]> {
  const text = await readFile(join(root, page), 'utf8')
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, code]) => code!)
}

/** Imports of all blocks first, each once, so that the blocks of a page can follow each other. */
function program(code: readonly string[]): string {
  const whole = code.join('\n')
  const start = whole.includes('const model = ') ? '' : PRELUDE
  const names = new Map<string, Set<string>>()
  const body = (start + whole).replace(
    /^import \{ (.*) \} from '(.*)'\n/gm,
    (_, list: string, from: string) => {
      const known = names.get(from) ?? new Set()
      for (const name of list.split(', ')) known.add(name)
      names.set(from, known)
      return ''
    },
  )
  const imports = [...names].map(([from, list]) => `import { ${[...list].join(', ')} } from '${from}'`)
  return `${imports.join('\n')}\n${body}`
}

function typeErrors(path: string): string[] {
  const compiled = ts.createProgram([path], {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    strict: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    skipLibCheck: true,
    types: ['node'],
  })
  return ts
    .getPreEmitDiagnostics(compiled)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}

describe.each(pages)('%s', (page) => {
  test('its TypeScript compiles and runs', async () => {
    const code = await blocks(page, 'ts')
    // The README's blocks are programs of their own.
    const programs = page === 'README.md' ? code.map((block) => program([block])) : [program(code)]
    for (const [index, source] of programs.entries()) {
      if (code.length === 0) break
      const name = `${page.replaceAll(/\W/g, '_')}_${index}`
      const path = join(folder, `${name}.ts`)
      await writeFile(path, source)
      expect(typeErrors(path), source).toEqual([])
      const { outputText } = ts.transpileModule(source, {
        compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
      })
      await writeFile(join(folder, `${name}.mjs`), outputText)
      await run(process.execPath, [`${name}.mjs`], { cwd: folder })
    }
  })

  test('its commands run', async () => {
    const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
    }
    const env = { ...process.env, PATH: `${join(folder, 'node_modules/.bin')}:${process.env.PATH}` }
    for (const line of (await blocks(page, 'sh')).join('').split('\n')) {
      // These build and test the clone itself: whoever runs this test has done so.
      const own = [...line.matchAll(/npm (?:run )?(\w+)/g)].map(([, script]) => script!)
      for (const script of own) expect([...Object.keys(scripts), 'ci']).toContain(script)
      if (own.length === 0 && line !== '') await run('bash', ['-euc', line], { cwd: folder, env })
    }
  })

  test('its links lead somewhere', async () => {
    const text = await readFile(join(root, page), 'utf8')
    for (const [, target] of text.matchAll(/\]\(([^)#]+)\)/g)) {
      if (/^https?:/.test(target!)) continue
      const path = join(root, page, '..', target!)
      await expect(
        readFile(path).catch((error) => (error.code === 'EISDIR' ? '' : Promise.reject(error))),
      ).resolves.toBeDefined()
    }
  })
})
