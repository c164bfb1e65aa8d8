// Records of bench:peers: files in bench/record.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('../record', import.meta.url))

/** What must be the same for two measurements to stand in one record. */
const CONDITIONS = [
  'cpu',
  'flags',
  'node',
  'commit',
  'peers',
  'isa',
  'methods',
  'rounds',
  'seconds',
  'withDefault',
]

/** Name and content of each record, oldest first. */
export function records() {
  mkdirSync(FOLDER, { recursive: true })
  const names = readdirSync(FOLDER).filter((name) => /^peers-.*\.json$/.test(name))
  return names.sort().map((name) => ({ name, record: JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) }))
}

/** The newest record that was made under the same conditions as `fresh`; without one, `fresh` under a new name. */
export function resumed(fresh) {
  const same = ({ record }) =>
    CONDITIONS.every((key) => JSON.stringify(record[key]) === JSON.stringify(fresh[key]))
  return records().findLast(same) ?? named(fresh)
}

/** A record under the name of its date. */
export function named(record) {
  return { name: `peers-${record.date.slice(0, 16).replace(':', '-')}.json`, record }
}

/** Writes a record, and returns its path. */
export function save({ name, record }) {
  mkdirSync(FOLDER, { recursive: true })
  const path = join(FOLDER, name)
  writeFileSync(path, `${JSON.stringify(record, null, 2)}\n`)
  return path
}
