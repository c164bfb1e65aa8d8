// Tables, plots and pages, made from records whose numbers are known.
import { describe, expect, test } from 'vitest'
import { page as ioPage } from '../io/page.mjs'
import { page as peersPage } from '../peers/page.mjs'
import { bestPeer, isComplete, ratioRows, threadRows } from '../peers/report.mjs'
import { summarise, table } from '../report.mjs'
import { analyse } from '../roofline/analyse.mjs'
import { figure as rooflineFigure } from '../roofline/figure.mjs'
import { page as rooflinePage } from '../roofline/page.mjs'
import { figure as scalingFigure } from '../scaling/figure.mjs'
import { page as scalingPage } from '../scaling/page.mjs'
import { SWEEPS } from '../scaling/sweeps.mjs'
import { page as startPage } from '../start/page.mjs'
import { alignedTable, markdownTable } from '../table.mjs'
import { ioRecord, peersRecord, rooflineRecord, scalingRecord, startRecord } from './fixtures.mjs'

test('tables for terminals and as Markdown', () => {
  const rows = [
    { name: 'a', ms: '1.5' },
    { name: 'long', ms: '20' },
  ]
  expect(alignedTable(rows)).toBe('name   ms\n   a  1.5\nlong   20')
  expect(markdownTable(rows)).toBe('| name | ms |\n| --- | ---: |\n| a | 1.5 |\n| long | 20 |')
})

describe('bench', () => {
  const workload = {
    network: { name: 'small', references: 20 },
    threads: 1,
    isa: 'avx2',
    pairs: 40,
    flopsPerPass: 1e8,
    batch: 4,
    worstCompleteness: 1e-7,
  }

  test('ratios are medians of rounds, beside the passes that the method needs', () => {
    const samples = { given: [2, 4, 9], shuffled: [3, 6, 9], forward: [1, 2, 3] }
    const found = summarise(workload, samples, { load: 0, share: 1 })
    expect(found.ratio.given).toEqual({ median: 2, min: 2, max: 3 })
    expect(found.msPerPair.shuffled.median).toBe(6)
    expect(found.msPerForward).toMatchObject({ batch: 4, median: 2 })
    expect(found.idealRatio).toBe(2.05)
    const text = table({ measured: [found], cpu: 'Processor', rounds: 3 })
    expect(text).toMatch(/small +1 +given +4\.000 +250 +2\.000 +4 +2\.00 +2\.00-3\.00 +2\.05 +1\.0e-7 +100 %/)
  })
})

describe('bench:peers', () => {
  test('the best peer is the fastest that is tuned', () => {
    const { measured } = peersRecord()
    expect(bestPeer(measured[0])).toMatchObject({ name: 'tangermeme', tuned: true })
    expect(ratioRows(peersRecord())[0]).toMatchObject({
      network: 'genomics',
      'times as fast': '6.0',
      rounds: '5.4-6.6',
      goal: 5,
      'as installed': '12.0',
    })
    expect(threadRows(peersRecord())[0]).toEqual({
      network: 'genomics',
      threads: 2,
      deeplift: '2.00',
      'best peer': '1.50',
    })
  })

  test('a record without one of the networks makes no page', () => {
    const record = peersRecord()
    expect(isComplete(record)).toBe(true)
    expect(isComplete({ measured: record.measured.slice(2) })).toBe(false)
  })

  test('the page has a section per instruction set', () => {
    const text = peersPage([peersRecord(), { ...peersRecord(), isa: 'avx2' }])
    expect(text).toContain('## With avx2')
    expect(text).toContain('## Kept to AVX2')
    expect(text).toContain('| mnist | 2 | 1.00 | 8.00 | tangermeme, 8 | 8.0 | 7.2-8.8 | 7 | 16.0 |')
  })
})

describe('bench:scaling', () => {
  test('laws hold for costs that follow them, and the page says so', () => {
    const record = scalingRecord()
    for (const { name, law } of record.sweeps) expect(law.holds, `${name}: ${law.text}`).toBe(true)
    const text = scalingPage(record)
    expect(text).not.toContain('does not hold')
    expect(text).toContain('1.00 + 2.00 R ms')
    expect(text).toContain('0.00 + 10.00 R ms for the same scores: its slope is 5.0 times ours')
    for (const { name } of SWEEPS) expect(text).toContain(`(scaling-${name}.svg)`)
  })

  test('peers would not pass: their cost starts at nothing', () => {
    const { law } = SWEEPS.find(({ name }) => name === 'references')
    expect(law([1, 2, 5, 10].map((x) => ({ x, y: 4 * x }))).holds).toBe(false)
    expect(law([1, 2, 5, 10].map((x) => ({ x, y: 1 + 2 * x ** 1.3 }))).holds).toBe(false)
  })

  test.each(SWEEPS)('the plot of $name has its points', async (sweep) => {
    const measured = scalingRecord().sweeps.find(({ name }) => name === sweep.name)
    const svg = await scalingFigure(sweep, measured)
    expect(svg).toMatch(/^<svg.*<\/svg>\n$/s)
    expect(svg).toContain(`Cost by ${sweep.name}`)
    expect(svg.match(/#0072b2/g).length).toBeGreaterThanOrEqual(measured.points.length)
    expect(svg.includes('tangermeme')).toBe(sweep.beside === true)
  })
})

describe('bench:roofline', () => {
  const [{ limits, ...measured }] = rooflineRecord().networks
  const found = analyse(measured, limits)
  const step = (op, pass) => found.steps.find((each) => each.op === op && each.pass === pass)

  test('what another kernel computes belongs to its step', () => {
    expect(found.steps.map(({ op, pass }) => `${op} ${pass}`)).toEqual([
      'Conv example',
      'Conv forward',
      'MaxPool forward',
      'MaxPool adjoint',
      'Conv adjoint',
    ])
    expect(step('Conv', 'forward')).toMatchObject({ bytes: 2e5, along: ['Relu'] })
    expect(step('MaxPool', 'adjoint')).toMatchObject({ bytes: 2e5, along: ['Relu'] })
  })

  test('floors are those of the slower of arithmetic and memory', () => {
    expect(step('Conv', 'forward')).toMatchObject({ level: { name: 'L2' }, computeMs: 0.8, memoryMs: 0.002 })
    expect(step('Conv', 'forward').leftMs).toBeCloseTo(0.2)
    expect(step('MaxPool', 'forward')).toMatchObject({ level: { name: 'L3' }, floorMs: 0.2, leftMs: 0.2 })
  })

  test('what is left is what is above the floors, and all that is outside of steps', () => {
    expect(found.all.outside).toBeCloseTo(0.4)
    // Conv 0.02, 0.2 and 1.2, MaxPool 0.2 and 0.098.
    expect(found.all.leftMs).toBeCloseTo(0.02 + 0.2 + 0.2 + 0.098 + 1.2 + 0.4)
  })

  test('a step that is faster than its floor leaves nothing', () => {
    const fast = { ...measured.rows[2], ms: 0.1 }
    expect(analyse({ ...measured, rows: [fast] }, limits).steps[0].leftMs).toBe(0)
  })

  test('the page says if the machine was busy', () => {
    const record = rooflineRecord()
    expect(rooflinePage(record)).not.toContain('busy')
    record.networks[0].foreignCores = 0.52
    expect(rooflinePage(record)).toContain('**The machine was busy**: other programs used up to 0.5 cores')
  })

  test('the page names what most is left in', () => {
    const text = rooflinePage(rooflineRecord())
    expect(text).toContain('Most is left in Conv adjoint by direct (30 % of the time)')
    expect(text).toContain(
      '| conv 100 × 64 + Relu | forward | direct | 1000.0 | 25 % | 80 | 160 | 80 % | 200 | L2 |',
    )
    expect(text).toContain('| multiply-adds on registers | 100 GFLOP/s |')
  })

  test('the plot has a panel per network', async () => {
    const svg = await rooflineFigure([found, { ...found, network: 'other' }])
    expect(svg).toMatch(/^<svg.*<\/svg>\n$/s)
    expect(svg).toContain('small: ')
    expect(svg).toContain('other: ')
  })
})

test('bench:start says whether the goal is met', () => {
  const text = startPage(startRecord())
  expect(text).toContain('| modules of the package | 50.0 | 80.0 |')
  expect(text).toMatch(/120 ms after the start of the process, within the goal of 150 ms/)
  expect(text).toContain('The command line is **above** the goal')
})

test('bench:io gives throughputs and how often as fast we are', () => {
  const text = ioPage(ioRecord())
  const { min, median, max } = ioRecord().io.cases[0].ratio
  const ratio = `${median.toFixed(2)} (${min.toFixed(2)}-${max.toFixed(2)})`
  expect(text).toContain(`| read HDF5 | 800 | h5py | 400 | ${ratio} |`)
  expect(text).toContain('h5py 3.16.0; medians of 3 rounds')
  expect(text).toContain('Scores (N, 4, 200) of 10 sequences, and 30 windows')
})
