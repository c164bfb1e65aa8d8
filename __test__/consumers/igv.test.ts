/** The session beside a track, opened by igv.js from a server of files. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hasBrowser, openBrowser } from '../support/browser.js'
import { runCli } from '../support/cli.js'
import { fastaOf } from '../support/genome.js'
import { igvPage } from '../support/igv.js'
import { DEMO_MODEL, randomCodes } from '../support/models.js'
import { readTrack } from '../support/tracks.js'

const IGV = join(dirname(createRequire(import.meta.url).resolve('igv/package.json')), 'dist', 'igv.min.js')
const PAGE = `<!doctype html><div id="igv"></div><script src="igv.min.js"></script><script>
  fetch('t.bw.igv.json')
    .then((session) => session.json())
    .then((session) => igv.createBrowser(document.getElementById('igv'), { ...session, loadDefaultGenomes: false }))
    .then((browser) => { globalThis.browser = browser })
</script>`

let folder: string
let server: Server
let browser: Browser
beforeAll(async () => {
  if (!hasBrowser) return
  folder = await mkdtemp(join(tmpdir(), 'deeplift-igv-'))
  const genome = Array.from(randomCodes(2000, 3), (code) => 'ACGT'[code]).join('')
  await writeFile(join(folder, 'g.fa'), fastaOf({ chr1: genome }, 60))
  await writeFile(join(folder, 'p.bed'), 'chr1\t500\t700\nchr1\t1200\t1400\n')
  const regions = ['--bed', join(folder, 'p.bed'), '--genome', join(folder, 'g.fa')]
  const scoring = ['--target', 'logits:0', '--reference', 'zeros']
  const out = ['--out', join(folder, 't.bw'), '--quiet']
  const { code, stderr } = await runCli(['score', DEMO_MODEL, ...regions, ...scoring, ...out])
  expect(code, stderr).toBe(0)
  server = createServer(async ({ headers, url }, response) => {
    const name = basename(new URL(url!, 'http://localhost').pathname)
    if (name === '') return response.setHeader('content-type', 'text/html').end(PAGE)
    const bytes = await readFile(name === 'igv.min.js' ? IGV : join(folder, name)).catch(() => undefined)
    if (!bytes) return response.writeHead(404).end()
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? []
    if (first === undefined) return response.end(bytes)
    const end = Math.min(bytes.length, last ? Number(last) + 1 : bytes.length)
    const range = `bytes ${first}-${end - 1}/${bytes.length}`
    return response.writeHead(206, { 'content-range': range }).end(bytes.subarray(Number(first), end))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  browser = await openBrowser()
})
afterAll(async () => {
  if (!hasBrowser) return
  await browser.close()
  server.close()
  await rm(folder, { recursive: true })
})

test.skipIf(!hasBrowser)('igv.js draws letters as tall as their scores (Linux on x64)', async () => {
  const page = await browser.newPage({ viewport: { width: 1280, height: 500 } })
  const failures: string[] = []
  page.on('pageerror', ({ message }) => failures.push(message))
  page.on('response', (response) => {
    if (response.status() >= 400 && !response.url().endsWith('favicon.ico')) failures.push(response.url())
  })
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  const igv = igvPage(page, 'globalThis.browser', 't.bw')
  await igv.ready(500, 700)
  const scores = await readTrack(join(folder, 't.bw'), 'chr1', 500, 700)
  const tallest = [...scores.keys()].sort((a, b) => Math.abs(scores[b]!) - Math.abs(scores[a]!)).slice(0, 20)
  const heights = await igv.heights(tallest.map((position) => 500 + position))
  const largest = heights[0]! / Math.abs(scores[tallest[0]!]!)
  for (const [index, position] of tallest.entries()) {
    const expected = largest * Math.abs(scores[position]!)
    expect(Math.abs(heights[index]! - expected), `base ${position}`).toBeLessThan(0.1 * expected + 2)
  }
  expect(failures).toEqual([])
})
