// Checks that package-lock.json can be installed from on every platform and from any registry; `--fix` completes it.
//
// npm drops optional packages that it could not fetch when it wrote the file (npm/cli#4828), and `npm ci` then
// refuses the file everywhere. Such packages are the builds of one release for several platforms: their version
// is the one their parent asks for, and their platform is in their name. Their integrity is filled in by the next
// `npm install` that can fetch them.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const path = fileURLToPath(new URL('../package-lock.json', import.meta.url))
const lock = JSON.parse(readFileSync(path, 'utf8'))
const { packages } = lock

const missing = []
for (const [parent, entry] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const places = [`node_modules/${name}`, `${parent}/node_modules/${name}`]
    if (places.some((place) => place in packages)) continue
    missing.push(name)
    if (!/^\d+\.\d+\.\d+$/.test(version))
      throw new Error(`${name}: expected an exact version, found ${version}`)
    const { cpu, libc, os } = platformOf(name)
    packages[places[0]] = {
      version,
      cpu,
      ...(entry.dev && { dev: true }),
      ...(libc && { libc }),
      optional: true,
      ...(os && { os }),
    }
  }
}
const resolved = Object.keys(packages).filter((place) => packages[place].resolved)

if (process.argv.includes('--fix')) {
  for (const place of resolved) delete packages[place].resolved
  lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en')))
  writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
} else if (missing.length > 0 || resolved.length > 0) {
  for (const name of missing) console.error(`package-lock.json lacks ${name}`)
  for (const place of resolved) console.error(`package-lock.json names a registry for ${place}`)
  console.error('complete it with `node scripts/lockfile.mjs --fix`')
  process.exitCode = 1
}

/** `os`, `cpu` and `libc` of a package named as napi-rs and biome name theirs, for example `…-linux-arm64-musl`. */
function platformOf(name) {
  if (name.endsWith('-wasm32-wasi')) return { cpu: ['wasm32'] }
  const match = /-(android|darwin|freebsd|linux|win32)-([a-z0-9]+)(?:-([a-z]+))?$/.exec(name)
  if (match === null) throw new Error(`${name}: cannot read the platform off this name`)
  const [, os, cpu, abi] = match
  const libc = { gnu: 'glibc', gnueabihf: 'glibc', musl: 'musl' }[abi]
  return { cpu: [cpu], libc: libc && [libc], os: [os] }
}
