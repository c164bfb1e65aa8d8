// The windows of a report on their genome, in igv.js, which is in the page and unpacked when it is looked at.
//
// The reference is made of the windows themselves: slices of chromosomes, as igv-reports writes them. Where windows
// overlap, a position has the score of the window that `stretch` gives it to, as in the tracks of `score`.

/** Bases in view at which scores are read; regions are always shown. */
const MOST_BASES = 100_000

const { colours, decode, sequences } = globalThis.report
const details = document.getElementById('genome')
let browser

const locusOf = ({ chrom, offset, letters }) =>
  `${chrom}:${Math.max(1, offset + 1)}-${offset + letters.length}`

function reference() {
  const ends = new Map()
  for (const { chrom, offset, letters } of sequences)
    ends.set(chrom, Math.max(ends.get(chrom) ?? 0, offset + letters.length))
  const slices = sequences.map((sequence) => {
    const { chrom, letters, offset } = sequence
    return `>${locusOf(sequence)} @len=${ends.get(chrom)}\n${letters.slice(Math.max(0, -offset))}\n`
  })
  return { id: 'windows', fastaURL: `data:text/plain;base64,${btoa(slices.join(''))}`, indexed: false }
}

/** What igv.js asks for scores: one feature per base. */
const scores = {
  async readFeatures(chrom, start, end) {
    const features = []
    for (const sequence of sequences) {
      if (sequence.chrom !== chrom || !sequence.stretch) continue
      const values = decode(sequence, 'projected')
      const from = Math.max(Math.floor(start), sequence.stretch[0])
      const to = Math.min(Math.ceil(end), sequence.stretch[1])
      for (let at = from; at < to; at++)
        features.push({ chr: chrom, start: at, end: at + 1, value: values[at - sequence.offset] })
    }
    return features.sort((a, b) => a.start - b.start)
  },
}

function tracks() {
  const features = sequences.map(({ chrom, letters, name, offset }) => ({
    chr: chrom,
    start: Math.max(0, offset),
    end: offset + letters.length,
    name,
  }))
  const seqlets = sequences.flatMap(({ chrom, offset, seqlets }) =>
    seqlets.map(({ start, end, pValue }) => ({
      chr: chrom,
      start: offset + start,
      end: offset + end,
      name: pValue.toExponential(1),
    })),
  )
  const regions = { type: 'annotation', displayMode: 'COLLAPSED', height: 40, searchable: false }
  return [
    {
      type: 'wig',
      graphType: 'dynseq',
      name: 'contributions',
      reader: scores,
      visibilityWindow: MOST_BASES,
      autoscale: true,
      height: 150,
      order: 1,
    },
    { ...regions, name: 'seqlets', features: seqlets, color: '#6b4fa0', order: 2 },
    { ...regions, name: 'windows', features, color: '#667080', order: 3 },
  ]
}

async function open() {
  const packed = Uint8Array.from(atob(document.getElementById('igv').textContent), (character) =>
    character.charCodeAt(0),
  )
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'))
  const script = document.createElement('script')
  script.textContent = await new Response(stream).text()
  document.head.append(script)
  browser = await globalThis.igv.createBrowser(details.querySelector('div'), {
    reference: reference(),
    locus: locusOf(globalThis.report.chosen),
    loadDefaultGenomes: false,
    showChromosomeWidget: false,
    nucleotideColors: Object.fromEntries([...'ACGT'].map((letter, code) => [letter, colours[code]])),
    tracks: tracks(),
  })
  globalThis.report.browser = browser
}

details.addEventListener('toggle', () => {
  if (details.open && !browser) open()
})
document.addEventListener('chosen', () => {
  browser?.search(locusOf(globalThis.report.chosen))
})
