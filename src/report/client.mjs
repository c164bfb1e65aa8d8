// What runs in the page of a report: the list of sequences, and the logo of the one that is chosen.
//
// The page holds its data as JSON: { glyphs, colours, sequences }. Scores are 16-bit steps of `scale`, in base64.

const SVG = 'http://www.w3.org/2000/svg'
const LOGO_HEIGHT = 190
const ROW_HEIGHT = 13
const LEFT = 58
const BOTTOM = 20
/** Letters narrower than this, in pixels, are drawn as bars. */
const NARROWEST_LETTER = 4
/** Positions that the closest zoom shows. */
const CLOSEST = 12

const { glyphs, colours, sequences } = JSON.parse(document.getElementById('data').textContent)
const columns = [
  ['name', 'sequence'],
  ['completeness', 'completeness'],
  ['sum', 'sum of contributions'],
  ['highest', 'highest'],
  ['lowest', 'lowest'],
  ['seqlets', 'seqlets'],
]

const list = document.querySelector('tbody')
const svg = document.querySelector('svg')
const filter = document.querySelector('input')
const nothing = document.getElementById('nothing')
let sorted = { column: sequences.some(({ completeness }) => completeness !== null) ? 1 : 3, falling: true }
let shown = []
let chosen = sequences[0]
let view = { start: 0, end: chosen?.letters.length ?? 0 }

function element(name, attributes, parent, text) {
  const made = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  if (text !== undefined) made.textContent = text
  parent.append(made)
  return made
}

/** Decodes steps once per sequence. */
function decode(sequence, key) {
  const cached = `${key}Values`
  if (!sequence[cached] && sequence[key]) {
    const bytes = Uint8Array.from(atob(sequence[key]), (character) => character.charCodeAt(0))
    sequence[cached] = Float32Array.from(new Int16Array(bytes.buffer), (step) => step * sequence.scale)
  }
  return sequence[cached]
}

const fieldOf = (sequence, key) => (key === 'seqlets' ? sequence.seqlets.length : sequence[key])
function show(value) {
  if (value === null) return '–'
  if (Number.isInteger(value)) return `${value}`
  return Math.abs(value) < 1e-3 ? value.toExponential(1) : value.toPrecision(3)
}

function drawList() {
  const [key] = columns[sorted.column]
  const text = filter.value.toLowerCase()
  const sign = sorted.falling ? -1 : 1
  shown = sequences
    .filter(({ name }) => name.toLowerCase().includes(text))
    .sort((a, b) => {
      const [x, y] = [fieldOf(a, key), fieldOf(b, key)]
      return sign * (typeof x === 'string' ? x.localeCompare(y, 'en', { numeric: true }) : x - y)
    })
  list.replaceChildren(
    ...shown.map((sequence) => {
      const row = document.createElement('tr')
      row.tabIndex = sequence === chosen ? 0 : -1
      row.setAttribute('aria-selected', String(sequence === chosen))
      for (const [each] of columns) {
        const cell = document.createElement('td')
        cell.textContent = each === 'name' ? sequence.name : show(fieldOf(sequence, each))
        row.append(cell)
      }
      row.addEventListener('click', () => choose(sequence))
      return row
    }),
  )
  nothing.hidden = shown.length > 0
  for (const [index, heading] of document.querySelectorAll('th').entries())
    if (index === sorted.column)
      heading.setAttribute('aria-sort', sorted.falling ? 'descending' : 'ascending')
    else heading.removeAttribute('aria-sort')
}

function choose(sequence) {
  if (!sequence) return
  chosen = sequence
  view = { start: 0, end: sequence.letters.length }
  for (const [index, row] of [...list.children].entries()) {
    row.tabIndex = shown[index] === sequence ? 0 : -1
    row.setAttribute('aria-selected', String(shown[index] === sequence))
  }
  list.querySelector('[aria-selected="true"]')?.focus()
  draw()
  document.dispatchEvent(new Event('chosen'))
}

/** Shows `[start, end)`, kept inside the sequence. */
function zoomTo(start, end) {
  const { length } = chosen.letters
  const size = Math.min(length, Math.max(Math.min(CLOSEST, length), end - start))
  const first = Math.max(0, Math.min(length - size, (start + end - size) / 2))
  view = { start: first, end: first + size }
  draw()
}

/** @param at The position that keeps its place. */
function zoom(factor, at = (view.start + view.end) / 2) {
  const size = (view.end - view.start) * factor
  const share = (at - view.start) / (view.end - view.start)
  zoomTo(at - share * size, at + (1 - share) * size)
}

function pan(positions) {
  zoomTo(view.start + positions, view.end + positions)
}

function draw() {
  const width = svg.clientWidth || 1200
  const scores = decode(chosen, 'projected')
  const hypothetical = decode(chosen, 'hypothetical')
  const height = LOGO_HEIGHT + BOTTOM + (hypothetical ? 4 * ROW_HEIGHT + 8 : 0)
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`)
  svg.setAttribute('height', height)
  svg.setAttribute('aria-label', `Contributions of ${chosen.name}`)
  svg.replaceChildren()
  const pitch = (width - LEFT) / (view.end - view.start)
  const x = (position) => LEFT + (position - view.start) * pitch
  const low = Math.min(0, chosen.lowest)
  const high = Math.max(0, chosen.highest)
  const range = high - low || 1
  const y = (score) => 6 + ((high - score) / range) * (LOGO_HEIGHT - 12)

  for (const { start, end, pValue } of chosen.seqlets) {
    const [from, to] = [Math.max(start, view.start), Math.min(end, view.end)]
    if (from >= to) continue
    const width = Math.max(1, (to - from) * pitch)
    const attributes = { class: 'seqlet', x: x(from), y: 0, width, height: LOGO_HEIGHT }
    const box = element('rect', attributes, svg)
    element('title', {}, box, `seqlet ${chosen.offset + start}–${chosen.offset + end}, p = ${show(pValue)}`)
  }
  element('line', { class: 'axis', x1: LEFT, x2: width, y1: y(0), y2: y(0) }, svg)
  for (const value of new Set([high, 0, low]))
    element(
      'text',
      { x: LEFT - 6, y: y(value) + 4, 'text-anchor': 'end' },
      svg,
      value === 0 ? '0' : show(value),
    )
  const first = Math.floor(view.start)
  const end = Math.min(scores.length, Math.ceil(view.end))
  drawLetters(first, end, { pitch, x, y, scores })
  if (hypothetical) drawHypothetical(first, end, { pitch, x, hypothetical })
  drawPositions(x, width)
  const [from, to] = [view.start, view.end].map((position) => chosen.offset + Math.round(position))
  document.querySelector('output').textContent = chosen.chrom
    ? `${chosen.chrom}:${from}–${to}`
    : `${from}–${to} of ${chosen.letters.length}`
  document.querySelector('.view h2').textContent = chosen.name
}

/** Groups `[from, to)` of positions that share a pixel: one each where there is room, and the same ones when moved. */
function* groups(first, end, pitch) {
  const size = Math.max(1, Math.floor(1 / pitch))
  for (let from = first - (first % size); from < end; from += size)
    yield [Math.max(first, from), Math.min(end, from + size)]
}

/** Of positions that share a pixel, the highest and the lowest. */
function drawLetters(first, end, { pitch, x, y, scores }) {
  for (const [from, to] of groups(first, end, pitch)) {
    let [high, low] = [from, from]
    for (let position = from; position < to; position++) {
      if (scores[position] > scores[high]) high = position
      if (scores[position] < scores[low]) low = position
    }
    drawLetter(high, { pitch, x, y, scores })
    if (low !== high && scores[low] < 0) drawLetter(low, { pitch, x, y, scores })
  }
}

function drawLetter(position, { pitch, x, y, scores }) {
  const code = 'ACGT'.indexOf(chosen.letters[position])
  const [tip, zero] = [y(scores[position]), y(0)]
  if (code < 0 || Math.abs(tip - zero) < 0.3) return
  const isLetter = pitch >= NARROWEST_LETTER
  const gap = isLetter ? 0.04 * pitch : 0
  const width = Math.max(1, pitch - 2 * gap)
  element(
    'path',
    {
      // A negative height turns the letter over.
      transform: `translate(${x(position) + gap} ${tip})scale(${width} ${zero - tip})`,
      d: isLetter ? glyphs[code] : 'M0 0H1V1H0Z',
      fill: colours[code],
      'data-base': chosen.letters[position],
      'data-position': position,
    },
    svg,
  )
}

/** One row per letter: red where it would add, blue where it would take away; the strongest that share a pixel. */
function drawHypothetical(first, end, { pitch, x, hypothetical }) {
  const top = LOGO_HEIGHT + BOTTOM + 4
  const { length } = chosen.letters
  let largest = 0
  for (const value of hypothetical) largest = Math.max(largest, Math.abs(value))
  for (const [code, letter] of [...'ACGT'].entries()) {
    const rowTop = top + code * ROW_HEIGHT
    element('text', { x: LEFT - 6, y: rowTop + 10, 'text-anchor': 'end' }, svg, letter)
    for (const [from, to] of groups(first, end, pitch)) {
      let value = 0
      for (let at = code * length + from; at < code * length + to; at++)
        if (Math.abs(hypothetical[at]) > Math.abs(value)) value = hypothetical[at]
      const strength = value / (largest || 1)
      if (Math.abs(strength) < 0.02) continue
      const fill = strength > 0 ? 'var(--positive)' : 'var(--negative)'
      const box = { x: x(from), y: rowTop, width: (to - from) * pitch, height: ROW_HEIGHT - 1, fill }
      element('rect', { ...box, opacity: Math.min(1, Math.abs(strength) ** 0.7).toFixed(2) }, svg)
    }
  }
}

function drawPositions(x, width) {
  const rough = ((view.end - view.start) / (width - LEFT)) * 90
  const power = 10 ** Math.floor(Math.log10(Math.max(1, rough)))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough) ?? 10 * power
  const { offset } = chosen
  for (let at = Math.ceil((offset + view.start) / step) * step; at < offset + view.end; at += step)
    element('text', { x: x(at - offset + 0.5), y: LOGO_HEIGHT + 14, 'text-anchor': 'middle' }, svg, `${at}`)
}

const actions = {
  '+': () => zoom(0.5),
  '=': () => zoom(0.5),
  '-': () => zoom(2),
  0: () => zoomTo(0, chosen.letters.length),
  ArrowLeft: () => pan(-(view.end - view.start) / 4),
  ArrowRight: () => pan((view.end - view.start) / 4),
  ArrowDown: () => choose(shown[shown.indexOf(chosen) + 1]),
  ArrowUp: () => choose(shown[shown.indexOf(chosen) - 1]),
}

document.addEventListener('keydown', (event) => {
  if (event.target.closest('input, #genome') || event.ctrlKey || event.metaKey || event.altKey) return
  const action = actions[event.key]
  if (!action || !chosen) return
  event.preventDefault()
  action()
})
for (const button of document.querySelectorAll('button[data-key]'))
  button.addEventListener('click', () => actions[button.dataset.key]())
for (const [index, button] of document.querySelectorAll('th button').entries())
  button.addEventListener('click', () => {
    sorted = { column: index, falling: sorted.column === index ? !sorted.falling : index > 0 }
    drawList()
  })
filter.addEventListener('input', drawList)
document.getElementById('theme').addEventListener('click', () => {
  const { dataset } = document.documentElement
  const dark = dataset.theme ? dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches
  dataset.theme = dark ? 'light' : 'dark'
})
svg.addEventListener(
  'wheel',
  (event) => {
    event.preventDefault()
    const { left } = svg.getBoundingClientRect()
    const share = (event.clientX - left - LEFT) / (svg.clientWidth - LEFT)
    zoom(event.deltaY > 0 ? 1.25 : 0.8, view.start + share * (view.end - view.start))
  },
  { passive: false },
)
svg.addEventListener('pointerdown', (event) => {
  let before = event.clientX
  svg.setPointerCapture(event.pointerId)
  const move = ({ clientX }) => {
    pan(((before - clientX) / (svg.clientWidth - LEFT)) * (view.end - view.start))
    before = clientX
  }
  svg.addEventListener('pointermove', move)
  svg.addEventListener('pointerup', () => svg.removeEventListener('pointermove', move), { once: true })
})
addEventListener('resize', () => chosen && draw())

// For the view of the genome, which pages of regions have.
globalThis.report = {
  colours,
  sequences,
  decode,
  get chosen() {
    return chosen
  },
}

drawList()
if (shown[0]) {
  chosen = shown[0]
  view = { start: 0, end: chosen.letters.length }
  drawList()
  draw()
}
