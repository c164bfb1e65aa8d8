/** `report` on scores that are known, opened in Chromium. */

import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NpzWriter } from '../../src/index.js'
import { hasBrowser, openBrowser } from '../support/browser.js'
import { runCli } from '../support/cli.js'
import { igvPage } from '../support/igv.js'
import { randomCodes } from '../support/models.js'

const LENGTH = 120
const N = 5
const NAMES = ['<b>one</b>', 'two', 'three', 'four', 'five']
const COMPLETENESS = [1e-7, 3e-6, 2e-7, 5e-5, 4e-7]
const codes = randomCodes(N * LENGTH, 2)
codes[3] = 4

/** Letter 20 of each sequence is its number, letter 21 minus half of that; a motif in the second. */
function hypothetical(): Float32Array {
  const values = new Float32Array(N * 4 * LENGTH)
  const set = (row: number, position: number, value: number) => {
    values[(row * 4 + codes[row * LENGTH + position]!) * LENGTH + position] = value
  }
  for (let row = 0; row < N; row++) {
    set(row, 20, row + 1)
    set(row, 21, -(row + 1) / 2)
  }
  for (let position = 60; position < 70; position++) set(1, position, 1.5)
  return values
}

let folder: string
let browser: Browser | undefined
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-report-'))
  const provenance = JSON.stringify({
    version: '0.1.0',
    references: ['zeros'],
    parameters: { target: { index: 7 } },
  })
  const writer = await NpzWriter.create(at('s.npz'), [
    { key: 'hypothetical', dtype: 'float32', rowShape: [4, LENGTH] },
    { key: 'sequences', dtype: 'uint8', rowShape: [LENGTH] },
    { key: 'completeness', dtype: 'float64', rowShape: [] },
  ])
  await writer.append('hypothetical', hypothetical())
  await writer.append('sequences', codes)
  await writer.append('completeness', Float64Array.from(COMPLETENESS))
  writer.put('names', { dtype: 'string', shape: [N], data: NAMES })
  writer.put('provenance', { dtype: 'string', shape: [], data: [provenance] })
  await writer.finish()
  await writeFile(
    at('s.bed'),
    NAMES.map((_, row) => `chr1\t${row * 1000}\t${row * 1000 + LENGTH}\n`).join(''),
  )
  await report('r.html')
  if (hasBrowser) browser = await openBrowser()
})
afterAll(async () => {
  await browser?.close()
  await rm(folder, { recursive: true })
})
const at = (name: string) => join(folder, name)

/** A file of no sequences, or of one. */
async function writeScores(
  name: string,
  { hypothetical, codes }: { hypothetical: Float32Array; codes: Uint8Array },
): Promise<void> {
  const length = codes.length || 10
  const writer = await NpzWriter.create(at(name), [
    { key: 'hypothetical', dtype: 'float32', rowShape: [4, length] },
    { key: 'sequences', dtype: 'uint8', rowShape: [length] },
  ])
  await writer.append('hypothetical', hypothetical)
  await writer.append('sequences', codes)
  await writer.finish()
}

const report = async (out: string, ...args: string[]) => await reportOf('s.npz', out, ...args)

async function reportOf(scores: string, out: string, ...args: string[]): Promise<Record<string, unknown>> {
  const { code, stderr, stdout } = await runCli(['report', at(scores), '--out', at(out), '--json', ...args])
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout)
}

test('a report is one page without an address, and the same bytes each time', async () => {
  const page = await readFile(at('r.html'), 'utf8')
  await report('again.html')
  expect(await readFile(at('again.html'), 'utf8')).toBe(page)
  await report('bed.html', '--bed', at('s.bed'))
  for (const text of [page, await readFile(at('bed.html'), 'utf8')]) {
    expect(text).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg)/)
    expect(text).not.toMatch(/<(link|img|script) [^>]*(src|href)=/)
  }
})

test('--limit keeps the largest contributions and the worst completeness', async () => {
  const names = async (limit: number) => {
    expect(await report('few.html', '--limit', String(limit))).toMatchObject({ sequences: N, shown: limit })
    const page = await readFile(at('few.html'), 'utf8')
    const [, data] = /id="data">(.*?)<\/script>/s.exec(page)!
    return JSON.parse(data!).sequences.map(({ name }: { name: string }) => name)
  }
  expect(await names(2)).toEqual(['four', 'five'])
  expect(await names(1)).toEqual(['five'])
})

test('regions have a view of their genome, unless --no-igv leaves it out', async () => {
  const size = async (out: string, ...args: string[]) => {
    await report(out, ...args)
    return (await stat(at(out))).size
  }
  const sequences = await size('sequences.html')
  const regions = await size('regions.html', '--bed', at('s.bed'))
  expect(regions - sequences).toBeGreaterThan(300_000)
  expect(regions - sequences).toBeLessThan(700_000)
  expect((await size('small.html', '--bed', at('s.bed'), '--no-igv')) - sequences).toBeLessThan(2000)
})

test('names are text, whatever they look like, and coordinates come from --bed', async () => {
  await report('bed.html', '--bed', at('s.bed'))
  const page = await readFile(at('bed.html'), 'utf8')
  expect(page).not.toContain('<b>one</b>')
  expect(page).toContain('"offset":3000')
})

describe.skipIf(!hasBrowser)('in Chromium (Linux on x64)', () => {
  async function opened(run: (page: Page) => Promise<void>, name = 'r.html'): Promise<void> {
    const page = await browser!.newPage({ viewport: { width: 1280, height: 900 } })
    const failures: string[] = []
    page.on('pageerror', ({ message }) => failures.push(message))
    page.on('request', (request) => {
      if (!/^(file|data|blob):/.test(request.url())) failures.push(request.url())
    })
    await page.goto(pathToFileURL(at(name)).href)
    try {
      await run(page)
      expect(failures).toEqual([])
    } finally {
      await page.close()
    }
  }
  const column = async (page: Page, index: number) =>
    await page.locator(`tbody tr td:nth-child(${index})`).allTextContents()

  test('it opens with the worst completeness first, and sorts', async () => {
    await opened(async (page) => {
      expect(await column(page, 1)).toEqual(['four', 'two', 'five', 'three', '<b>one</b>'])
      expect(await page.locator('.view h2').textContent()).toBe('four')
      expect(await page.locator('dl').textContent()).toContain('Target7')
      await page.getByRole('button', { name: 'Highest' }).click()
      expect(await column(page, 4)).toEqual(['5', '4', '3', '2', '1'])
      await page.getByRole('button', { name: 'Highest' }).click()
      expect(await column(page, 4)).toEqual(['1', '2', '3', '4', '5'])
      expect(await page.locator('th').nth(3).getAttribute('aria-sort')).toBe('ascending')
      await page.getByLabel('find a sequence').fill('t')
      expect(await column(page, 1)).toEqual(['two', 'three'])
    })
  })

  test('letters are as tall as their scores, and those of negative ones hang', async () => {
    await opened(async (page) => {
      const box = async (position: number) =>
        (await page.locator(`path[data-position="${position}"]`).boundingBox())!
      const [up, down] = [await box(20), await box(21)]
      expect(up.height / down.height).toBeCloseTo(2, 1)
      expect(up.y + up.height).toBeCloseTo(down.y, 0)
      expect(await page.locator('path').count()).toBe(2)
    })
  })

  test('keys zoom, move and choose; seqlets are marked', async () => {
    await opened(async (page) => {
      const width = async () => (await page.locator('path[data-position="20"]').boundingBox())!.width
      const before = await width()
      await page.keyboard.press('+')
      await page.keyboard.press('ArrowLeft')
      expect((await width()) / before).toBeCloseTo(2, 1)
      expect(await page.locator('output').textContent()).toBe('15–75 of 120')
      await page.keyboard.press('0')
      expect(await page.locator('output').textContent()).toBe('0–120 of 120')
      await page.keyboard.press('ArrowDown')
      expect(await page.locator('.view h2').textContent()).toBe('two')
      expect(await page.locator('.seqlet').count()).toBeGreaterThan(0)
      const seqlet = (await page.locator('.seqlet').last().boundingBox())!
      const motif = (await page.locator('path[data-position="65"]').boundingBox())!
      expect(motif.x).toBeGreaterThan(seqlet.x)
      expect(motif.x).toBeLessThan(seqlet.x + seqlet.width)
    })
  })

  test('positions that share a pixel are drawn once, the highest and the lowest of them', async () => {
    const length = 30_000
    const hypothetical = new Float32Array(4 * length).map((_, index) => ((index * 7919) % 1000) / 1e4 - 0.05)
    // The first of every sequence of codes is A.
    hypothetical[12_345] = 3
    hypothetical[12_346] = -2
    await writeScores('long.npz', { hypothetical, codes: new Uint8Array(length) })
    await reportOf('long.npz', 'long.html')
    await opened(async (page) => {
      const width = await page.evaluate<number>('document.querySelector("svg").clientWidth')
      expect(await page.locator('path').count()).toBeLessThan(2 * width)
      expect(await page.locator('svg rect').count()).toBeLessThan(5 * width)
      const [up, down] = await Promise.all(
        [12_345, 12_346].map(
          async (at) => (await page.locator(`path[data-position="${at}"]`).boundingBox())!,
        ),
      )
      expect(up!.height / down!.height).toBeCloseTo(1.5, 1)
      expect(up!.width).toBeGreaterThanOrEqual(1)
    }, 'long.html')
  })

  test('regions have their coordinates', async () => {
    await report('bed.html', '--bed', at('s.bed'), '--no-igv')
    await opened(async (page) => {
      expect(await page.locator('.view h2').textContent()).toBe('four')
      expect(await page.locator('output').textContent()).toBe('chr1:3000–3120')
    }, 'bed.html')
  })

  test('without sequences, or any that are looked for, it says so', async () => {
    await opened(async (page) => {
      await page.getByLabel('find a sequence').fill('nobody')
      expect(await page.getByText('No sequence has this in its name.').isVisible()).toBe(true)
    })
    await writeScores('none.npz', { hypothetical: new Float32Array(0), codes: new Uint8Array(0) })
    await reportOf('none.npz', 'none.html')
    await opened(async (page) => {
      expect(await page.getByText('There are no sequences.').isVisible()).toBe(true)
      expect(await page.locator('.view').isVisible()).toBe(false)
      await page.keyboard.press('+')
      await page.setViewportSize({ width: 800, height: 600 })
    }, 'none.html')
  })

  test('it has a light and a dark face', async () => {
    await opened(async (page) => {
      const paper = async () => await page.evaluate('getComputedStyle(document.body).backgroundColor')
      const light = await paper()
      await page.getByRole('button', { name: 'light / dark' }).click()
      const dark = await paper()
      expect(dark).not.toBe(light)
      await page.emulateMedia({ colorScheme: 'dark' })
      await page.reload()
      expect(await paper()).toBe(dark)
    })
  })

  test('igv.js shows the scores along the genome, and follows the list', async () => {
    // The second and the third window overlap: they are cut at the midpoint of their summits, 2090.
    const starts = [0, 2000, 2060, 3000, 4000]
    await writeFile(at('o.bed'), starts.map((start) => `chr1\t${start}\t${start + LENGTH}\n`).join(''))
    await report('igv.html', '--bed', at('o.bed'))
    await opened(async (page) => {
      await page.getByText('On the genome').click()
      const igv = igvPage(page, 'globalThis.report.browser', 'contributions')
      await igv.ready(3000, 3120)
      const [up, down, nothing] = await igv.heights([3020, 3021, 3030])
      expect(up! / down!).toBeCloseTo(2, 1)
      expect(nothing).toBeLessThan(3)
      await page.locator('tbody tr').filter({ hasText: 'two' }).click()
      await igv.ready(2000, 2120)
      // Letters of 2 at 2020 and of 1.5 from 2060 on; from 2090 on the third window, whose letter at 2080 is cut off.
      const [two, motif, last, other] = await igv.heights([2020, 2062, 2069, 2080])
      expect(motif! / two!).toBeCloseTo(0.75, 1)
      expect(last! / two!).toBeCloseTo(0.75, 1)
      expect(other).toBeLessThan(3)
    }, 'igv.html')
  })
})
