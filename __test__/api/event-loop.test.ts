import { execFile, execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { DeepLift, dinucleotideShuffle } from '../../src/index.js'
import { DEMO_FASTA, DEMO_MODEL, randomCodes } from '../support/models.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const dist = new URL('../../dist/index.js', import.meta.url).href

/**
 * Milliseconds. A batch is made for one; the bound is for machines whose cores all compute at the same time, where
 * the thread of the event loop waits for its turn.
 */
const LONGEST_DELAY = 150
const TYPICAL_DELAY = 20

test('the event loop goes on while scoring', async () => {
  const model = await DeepLift.load(DEMO_MODEL)
  const examples = 100
  const codes = randomCodes(examples * 200, 1)
  const options = {
    target: [0, 1, 2],
    references: dinucleotideShuffle({ count: 20 }),
    outputs: ['hypothetical'],
  } as const
  const inputs = { sequence: { data: codes, shape: [examples, 200] } }
  // Planning, and whatever else happens once.
  await model.score({ sequence: { data: codes.subarray(0, 200), shape: [1, 200] } }, options)
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  let ticks = 0
  const timer = setInterval(() => ticks++, 5)
  const started = performance.now()
  await model.score(inputs, options)
  const elapsed = performance.now() - started
  clearInterval(timer)
  delay.disable()
  expect(delay.percentile(95) / 1e6).toBeLessThan(TYPICAL_DELAY)
  expect(delay.max / 1e6).toBeLessThan(LONGEST_DELAY)
  expect(ticks).toBeGreaterThan(elapsed / 5 / 4)
})

/** Runs a module against the built package, in a process of its own. */
async function run(code: string, env: Record<string, string> = {}): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], {
    cwd: root,
    env: { ...process.env, ...env },
  })
  return stdout
}

const PRELUDE = `
  import { DeepLift, dinucleotideShuffle, readFasta } from ${JSON.stringify(dist)}
  const model = await DeepLift.load(${JSON.stringify(DEMO_MODEL)})
  const options = { target: 0, references: dinucleotideShuffle({ count: 20 }) }
  const records = readFasta(${JSON.stringify(DEMO_FASTA)})
`

test('the thread pool of Node stays free: files and hashes are served while scoring', async () => {
  const output = await run(
    `${PRELUDE}
    import { pbkdf2 } from 'node:crypto'
    import { readFile } from 'node:fs/promises'
    import { promisify } from 'node:util'
    const codes = []
    for await (const record of records) { codes.push(...record.codes); if (codes.length >= 200 * 200) break }
    let scoring = true
    const scored = model.score({ sequence: { data: Uint8Array.from(codes), shape: [codes.length / 200, 200] } }, options)
      .then(() => { scoring = false })
    let served = 0
    while (scoring && served < 20) {
      await promisify(pbkdf2)('secret', 'salt', 10, 32, 'sha256')
      await readFile(${JSON.stringify(DEMO_MODEL)})
      served++
    }
    console.log(served, scoring)
    await scored`,
    { UV_THREADPOOL_SIZE: '1' },
  )
  expect(output.trim()).toBe('20 true')
})

test('a process ends by itself when its work is done', async () => {
  const output = await run(`${PRELUDE}
    for await (const batch of model.stream(records, options)) { console.log(batch.first); break }`)
  expect(output.trim()).toBe('0')
})

test('both module systems share one addon and agree', async () => {
  const output = await run(`${PRELUDE}
    import { createRequire } from 'node:module'
    const require = createRequire(${JSON.stringify(`${root}/package.json`)})
    const cjs = require('deeplift')
    const again = await cjs.DeepLift.load(${JSON.stringify(DEMO_MODEL)})
    const inputs = { sequence: { data: new Uint8Array(200), shape: [1, 200] } }
    const scores = await Promise.all([model, again].map((each) => each.score(inputs, { target: 0, references: 'zeros' })))
    const addons = process.report.getReport().sharedObjects.filter((path) => path.includes('deeplift'))
    console.log(addons.length, scores[0].output.data[0] === scores[1].output.data[0])`)
  expect(output.trim()).toBe('1 true')
})

describe('worker threads', () => {
  const code = (body: string) => `
    const { parentPort } = require('node:worker_threads')
    const { DeepLift, dinucleotideShuffle, readFasta } = require(${JSON.stringify(`${root}/dist/cjs/index.cjs`)})
    ;(async () => {
      const model = await DeepLift.load(${JSON.stringify(DEMO_MODEL)}, { threads: 1 })
      const options = { target: 0, references: dinucleotideShuffle({ count: 20 }) }
      ${body}
    })()`

  test('score, several at a time', async () => {
    const body = `
      const inputs = { sequence: { data: new Uint8Array(400).map((_, i) => i % 4), shape: [2, 200] } }
      const scores = await model.score(inputs, options)
      parentPort.postMessage([...scores.output.data])`
    const results = await Promise.all(
      [0, 1, 2].map(
        () =>
          new Promise<number[]>((resolve, reject) => {
            const worker = new Worker(code(body), { eval: true })
            worker.once('message', resolve)
            worker.once('error', reject)
          }),
      ),
    )
    expect(results[0]).toHaveLength(2)
    expect(results[1]).toEqual(results[0])
    expect(results[2]).toEqual(results[0])
  })

  test('can be terminated in the middle of their work', async () => {
    const body = `
      for await (const batch of model.stream(readFasta(${JSON.stringify(DEMO_FASTA)}), { ...options, batchSize: 2 }))
        parentPort.postMessage(batch.first)`
    for (let round = 0; round < 3; round++) {
      const worker = new Worker(code(body), { eval: true })
      await new Promise((resolve, reject) => {
        worker.once('message', resolve)
        worker.once('error', reject)
      })
      expect(await worker.terminate()).toBe(1)
    }
  })
})

const hasNm = (() => {
  try {
    execFileSync('nm', ['--version'])
    return process.platform === 'linux'
  } catch {
    return false
  }
})()

test.skipIf(!hasNm)('the addon cannot make external buffers, which some hosts refuse', () => {
  const addon = readdirSync(root).find((name) => name.startsWith('deeplift.') && name.endsWith('.node'))!
  const symbols = execFileSync('nm', ['-D', `${root}/${addon}`]).toString()
  expect(symbols).toContain('napi_create_arraybuffer')
  expect(symbols).not.toMatch(/napi_create_external_(arraybuffer|buffer)/)
})
