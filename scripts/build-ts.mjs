// Builds dist/ from one source twice: ES modules by tsc, and CommonJS file by file in dist/cjs. Then what the entries of
// the ES modules import is joined into few files, as loading a hundred takes longer than scoring a sequence.
//
// The CommonJS half is marked by its extensions (.cjs, .d.cts) rather than by a nested package.json, so that
// `#native` and every other entry of `imports` in package.json resolve the same from both halves.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { rolldown } from 'rolldown'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))
const source = join(root, 'src')
const dist = join(root, 'dist')
const cjs = join(dist, 'cjs')

rmSync(dist, { recursive: true, force: true })
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
try {
  execFileSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json')], { stdio: 'inherit' })
} catch {
  // tsc has printed its own diagnostics.
  process.exit(1)
}

// tsc copies neither JavaScript that has a hand-made .d.ts beside it nor anything else that is not TypeScript.
const assets = filesUnder(source).filter((path) => !/(?<!\.d)\.ts$/.test(path) && !path.endsWith('.proto'))
for (const path of assets) copy(source, dist, path)

for (const path of filesUnder(dist)) {
  if (path.startsWith(`cjs${sep}`)) continue
  if (path.endsWith('.js') || path.endsWith('.d.ts')) writeCommonJs(path)
  else copy(dist, cjs, path)
}

copyIgv()
await joinModules({ index: 'index.js', 'cli/main': 'cli/main.js' })

function filesUnder(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
}

function copy(from, to, path) {
  const target = join(to, path)
  mkdirSync(dirname(target), { recursive: true })
  cpSync(join(from, path), target)
}

/** igv.js is a part of reports: packed, it is a quarter of the size. */
function copyIgv() {
  const igv = dirname(createRequire(import.meta.url).resolve('igv/package.json'))
  const packed = gzipSync(readFileSync(join(igv, 'dist', 'igv.min.js')), { level: 9 })
  writeFileSync(join(dist, 'report', 'igv.min.js.gz'), packed)
  cpSync(join(igv, 'LICENSE'), join(dist, 'report', 'igv.LICENSE'))
}

/** Replaces these modules by ones that hold what they import; what several need is in dist/shared. */
async function joinModules(entries) {
  const input = Object.fromEntries(Object.entries(entries).map(([name, path]) => [name, join(dist, path)]))
  const bundle = await rolldown({
    input,
    platform: 'node',
    // Other packages, Node's modules and entries of `imports` in package.json stay what they are.
    external: /^[^./]/,
    onLog: (_, { message }) => {
      throw new Error(`dist cannot be joined: ${message}`)
    },
  })
  await bundle.write({ dir: dist, format: 'esm', chunkFileNames: 'shared/[name].js' })
  await bundle.close()
}

/** Writes the CommonJS twin of one ES module, or of its declarations. */
function writeCommonJs(path) {
  const code = readFileSync(join(dist, path), 'utf8')
  const target = join(
    cjs,
    path.replace(/(\.d)?\.(js|ts)$/, (_, d, kind) => (d ? `.d.cts` : `.c${kind}`)),
  )
  mkdirSync(dirname(target), { recursive: true })
  if (path.endsWith('.d.ts')) {
    const file = ts.createSourceFile(path, code, ts.ScriptTarget.Latest, true)
    const { transformed } = ts.transform(file, [renameRelativeImports])
    writeFileSync(target, ts.createPrinter().printFile(transformed[0]))
    return
  }
  const { outputText } = ts.transpileModule(code, {
    // The extension .cts makes a CommonJS module of it; Node16 keeps `import()` a real dynamic import.
    fileName: path.replace(/\.js$/, '.cts'),
    compilerOptions: {
      module: ts.ModuleKind.Node16,
      target: ts.ScriptTarget.ES2022,
      esModuleInterop: true,
    },
    transformers: { before: [renameRelativeImports, replaceImportMeta] },
  })
  if (/\bimport\.meta\b/.test(outputText))
    throw new Error(`${path}: import.meta has no CommonJS form here except import.meta.url`)
  writeFileSync(target, outputText)
}

/** './a.js' becomes './a.cjs' in imports, exports, `import()` and `import('…')` types. */
function renameRelativeImports(context) {
  const { factory } = context
  const isSpecifier = (node) => {
    const { parent } = node
    if (ts.isImportDeclaration(parent) || ts.isExportDeclaration(parent))
      return parent.moduleSpecifier === node
    if (ts.isCallExpression(parent)) return parent.expression.kind === ts.SyntaxKind.ImportKeyword
    return ts.isLiteralTypeNode(parent) && ts.isImportTypeNode(parent.parent)
  }
  const visit = (node) =>
    ts.isStringLiteral(node) && node.parent && /^\.\.?\/.*\.js$/.test(node.text) && isSpecifier(node)
      ? factory.createStringLiteral(node.text.replace(/\.js$/, '.cjs'))
      : ts.visitEachChild(node, visit, context)
  return (file) => ts.visitNode(file, visit)
}

/** `import.meta.url` becomes the file URL of the CommonJS module. */
function replaceImportMeta(context) {
  const { factory } = context
  const isUrl = (node) =>
    ts.isPropertyAccessExpression(node) && ts.isMetaProperty(node.expression) && node.name.text === 'url'
  const url = () =>
    factory.createPropertyAccessExpression(
      factory.createCallExpression(
        factory.createPropertyAccessExpression(
          factory.createCallExpression(factory.createIdentifier('require'), undefined, [
            factory.createStringLiteral('node:url'),
          ]),
          'pathToFileURL',
        ),
        undefined,
        [factory.createIdentifier('__filename')],
      ),
      'href',
    )
  const visit = (node) => (isUrl(node) ? url() : ts.visitEachChild(node, visit, context))
  return (file) => ts.visitNode(file, visit)
}
