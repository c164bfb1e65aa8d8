import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parameterSchema } from '../../src/cli/parameters.js'
import { createProgram } from '../../src/cli/program.js'
import {
  DeepLift,
  dinucleotideShuffle,
  type NpyArray,
  readNpz,
  shuffledSequences,
  writeNpy,
} from '../../src/index.js'
import { type Finished, runCli } from '../support/cli.js'
import { fastaOf } from '../support/genome.js'
import {
  channelsLastModel,
  DEMO_MODEL,
  profileModel,
  randomCodes,
  randomFloats,
  sequenceModel,
} from '../support/models.js'
import { largestDifference, sum } from '../support/numbers.js'

const LENGTH = 40
const letters = (codes: Iterable<number>) => Array.from(codes, (code) => 'ACGT'[code]).join('')
const CHR1 = letters(randomCodes(300, 11))
const CHR2 = letters(randomCodes(90, 12))
const GENOME: Record<string, string> = { chr1: CHR1, chr2: CHR2 }

/** Another base than this. */
const other = (base: string) => 'ACGT'['ACGT'.indexOf(base) ^ 1]!
/** 1-based position, number of bases deleted, what takes their place. */
const EDITS = [
  ['chr1', 100, 1, (ref: string) => other(ref)],
  ['chr1', 150, 1, (ref: string) => `${ref}GATTACA`],
  ['chr2', 45, 5, (ref: string) => ref[0]!],
  ['chr1', 200, 2, (ref: string) => `${other(ref[0]!)}${other(ref[1]!)}C`],
  ['chr1', 280, 1, (ref: string) => other(ref)],
] as const
const VARIANTS = EDITS.map(([chrom, position, length, edit], index) => {
  const ref = GENOME[chrom]!.slice(position - 1, position - 1 + length)
  return { chrom, position, ref, alt: edit(ref), id: `v${index}` }
})
const VCF = [
  '##fileformat=VCFv4.4',
  '#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO',
  ...VARIANTS.map(({ chrom, position, ref, alt, id }, index) => {
    const alleles = index === 2 ? `<DEL>,${alt},*` : alt
    return `${chrom}\t${position}\t${id}\t${ref}\t${alleles}\t.\tPASS\t.`
  }),
  `chr2\t5\tedge\t${CHR2[4]}\t${other(CHR2[4]!)}\t.\t.\t.`,
  `chr1\t60\tlong\t${CHR1[59]}\t${'A'.repeat(30)}\t.\t.\t.`,
  `chr1\t70\tbnd\t${CHR1[69]}\t${CHR1[69]}[chr2:7[\t.\t.\t.`,
  '',
].join('\n')

/** The windows of both alleles, from chromosomes that are edited as a whole. */
function windowsOf({ chrom, position, ref, alt }: (typeof VARIANTS)[number]): [Uint8Array, Uint8Array] {
  const text = GENOME[chrom]!
  const start = position - 1
  const edited = text.slice(0, start) + alt + text.slice(start + ref.length)
  const cut = (whole: string) =>
    Uint8Array.from(whole.slice(start - LENGTH / 2, start + LENGTH / 2), (base) => 'ACGT'.indexOf(base))
  return [cut(text), cut(edited)]
}

const reverseComplement = (codes: Uint8Array) =>
  codes
    .slice()
    .reverse()
    .map((code) => 3 - code)

let folder: string
let model: DeepLift
let heads: DeepLift
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-variants-'))
  await writeFile(at('model.onnx'), sequenceModel(LENGTH))
  await writeFile(at('heads.onnx'), profileModel(LENGTH))
  await writeFile(at('g.fa'), fastaOf(GENOME, 60))
  await writeFile(at('v.vcf'), VCF)
  await writeFile(at('un.vcf'), 'chr3\t5\t.\tA\tC\t.\t.\t.\n')
  await writeFile(at('v.vcf.gz'), gzipSync(VCF))
  model = await DeepLift.load(at('model.onnx'))
  heads = await DeepLift.load(at('heads.onnx'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

const at = (name: string) => join(folder, name)
const leftovers = async () => (await readdir(folder)).filter((name) => name.startsWith('wrong'))
const floats = (array: NpyArray | undefined) => [...(array!.data as Float32Array)]

async function variants(args: string[], name = 'model', code = 0): Promise<Finished> {
  const file = args.includes('--variants') ? [] : ['--vcf', at('v.vcf')]
  const finished = await runCli(['variants', at(`${name}.onnx`), '--genome', at('g.fa'), ...file, ...args])
  expect(finished.code, finished.stderr).toBe(code)
  return finished
}

async function table(name: string): Promise<Record<string, string>[]> {
  const [header, ...rows] = (await readFile(at(name), 'utf8')).trimEnd().split('\n')
  const names = header!.split('\t')
  return rows.map((row) => Object.fromEntries(row.split('\t').map((cell, index) => [names[index]!, cell])))
}

/** Values of an output on both strands of a sequence. */
async function strands(codes: Uint8Array): Promise<[Float32Array, Float32Array]> {
  const values = async (data: Uint8Array) =>
    (await model.predict({ x: { data, shape: [1, LENGTH] } })).y!.data as Float32Array
  return [await values(codes), await values(reverseComplement(codes))]
}

describe('the table', () => {
  test('has the difference of a target over both strands, for each variant with windows', async () => {
    const { stdout, stderr } = await variants(['--target', '1', '--out', at('a.tsv'), '--json'])
    const rows = await table('a.tsv')
    expect(Object.keys(rows[0]!)).toEqual([
      ...['chr', 'pos', 'allele1', 'allele2', 'variant_id'],
      ...['allele1_pred', 'allele2_pred', 'diff', 'abs_diff'],
    ])
    expect(rows).toHaveLength(VARIANTS.length)
    for (const [index, variant] of VARIANTS.entries()) {
      const row = rows[index]!
      expect(row).toMatchObject({
        chr: variant.chrom,
        pos: String(variant.position),
        allele1: variant.ref,
        allele2: variant.alt,
        variant_id: variant.id,
      })
      const [first, second] = await Promise.all(
        windowsOf(variant).map(async (codes) => {
          const [forward, reverse] = await strands(codes)
          return (forward[1]! + reverse[1]!) / 2
        }),
      )
      expect(Number(row.allele1_pred)).toBe(first)
      expect(Number(row.allele2_pred)).toBe(second)
      expect(Number(row.diff)).toBe(second! - first!)
      expect(Number(row.abs_diff)).toBe(Math.abs(second! - first!))
      expect(Number(row.diff)).not.toBe(0)
    }
    expect(JSON.parse(stdout)).toMatchObject({
      variants: 5,
      withUnknownBases: 0,
      skipped: {
        ...{ symbolic: 1, breakend: 1, overlapping: 1, missing: 0, long: 1, mismatch: 0, edge: 1 },
        chromosome: 0,
      },
      files: [at('a.tsv'), at('a.tsv.json')],
    })
    expect(stderr).toMatch(
      /5 of 10 variants are left out \(1 symbolic, 1 breakend, 1 overlapping, 1 long, 1 edge\): line 5 \(chr2:45/,
    )
    const provenance = JSON.parse(await readFile(at('a.tsv.json'), 'utf8'))
    expect(provenance).toMatchObject({ program: 'deeplift', length: LENGTH, parameters: { target: ['1'] } })
    expect(provenance.files).toEqual({ vcfSha256: createHash('sha256').update(VCF).digest('hex') })
    expect(JSON.stringify(provenance)).not.toContain(folder)
    expect((await readdir(folder)).filter((name) => name.includes('tmp'))).toEqual([])
  })

  test('is the same bytes in any batches, on any number of threads, from a packed file or a list', async () => {
    await variants(['--target', '1', '--out', at('b.tsv')])
    const bytes = await readFile(at('b.tsv'))
    const list = VARIANTS.map(({ chrom, position, ref, alt, id }) =>
      [chrom, position, ref, alt, id].join('\t'),
    )
    await writeFile(at('list.tsv'), `${list.join('\n')}\n`)
    const cases = [
      ['--batch', '1', '--threads', '1'],
      ['--batch', '3'],
      ['--vcf', at('v.vcf.gz')],
      ['--variants', at('list.tsv')],
      ['--variants', at('b.tsv')],
    ]
    for (const args of cases) {
      await variants(['--target', '1', ...args, '--out', at('b2.tsv')])
      expect((await readFile(at('b2.tsv'))).equals(bytes), args.join(' ')).toBe(true)
    }
  })

  test('has several targets by name, on the forward strand alone or with others on the reverse', async () => {
    const targets = ['--target', '0', '--target', '2-1']
    await variants([...targets, '--forward-only', '--out', at('c.tsv')])
    await variants([...targets, '--reverse-target', '1', '--reverse-target', '0', '--out', at('c2.tsv')])
    const [forward, both] = [await table('c.tsv'), await table('c2.tsv')]
    for (const [index, variant] of VARIANTS.entries()) {
      const [[f1, r1], [f2, r2]] = (await Promise.all(windowsOf(variant).map(strands))) as [
        [Float32Array, Float32Array],
        [Float32Array, Float32Array],
      ]
      expect(Number(forward[index]!['diff.0'])).toBe(f2[0]! - f1[0]!)
      expect(Number(forward[index]!['allele2_pred.2-1'])).toBe(f2[2]! - f2[1]!)
      expect(Number(both[index]!['diff.0'])).toBe((f2[0]! + r2[1]!) / 2 - (f1[0]! + r1[1]!) / 2)
      expect(Number(both[index]!['allele1_pred.2-1'])).toBe((f1[2]! - f1[1]! + r1[0]!) / 2)
    }
  })

  test('is that of the same network over sequences with the letters last', async () => {
    await writeFile(at('last.onnx'), channelsLastModel(LENGTH))
    await variants(['--target', '1', '--out', at('last.tsv')], 'last')
    await variants(['--target', '1', '--out', at('first.tsv')])
    const [last, first] = [await table('last.tsv'), await table('first.tsv')]
    expect(last).toHaveLength(VARIANTS.length)
    for (const [index, row] of last.entries())
      expect(Number(row.diff)).toBeCloseTo(Number(first[index]!.diff), 6)
  })

  test('takes edges and mismatches as it is told', async () => {
    const wrong = VCF.replace(/^chr1\t280.*$/m, (line) =>
      line.replace(/\t([ACGT])\t/, (_, ref) => `\t${other(ref)}\t`),
    )
    await writeFile(at('wrong.vcf'), wrong)
    const { stderr } = await variants(
      ['--vcf', at('wrong.vcf'), '--target', '0', '--out', at('wrong.tsv')],
      'model',
      3,
    )
    expect(stderr).toMatch(
      /wrong\.vcf, line 7: chr1:280 .*allele 1 is ".", the genome has "." \(.*g\.fa\).*--mismatch skip/,
    )
    await rm(at('wrong.vcf'))
    expect(await leftovers()).toEqual([])
    await writeFile(at('m.vcf'), `${wrong}chrUn_7\t5\tnowhere\tA\tC\t.\t.\t.\n`)
    const skip = ['--vcf', at('m.vcf'), '--mismatch', 'skip', '--edges', 'pad', '--json']
    const { stdout } = await variants([...skip, '--target', '0', '--out', at('d.tsv')])
    expect(JSON.parse(stdout)).toMatchObject({
      variants: 5,
      withUnknownBases: 1,
      skipped: { mismatch: 1, edge: 0, chromosome: 1 },
    })
    expect((await table('d.tsv')).map(({ variant_id }) => variant_id)).toEqual([
      'v0',
      'v1',
      'v2',
      'v3',
      'edge',
    ])
  })
})

test('a base of a motif that the demo was trained on counts more than others', async () => {
  const text = letters(randomCodes(1000, 8)).replaceAll('GATA', 'GACA')
  const planted = `${text.slice(0, 495)}GATAAG${text.slice(501)}`
  await writeFile(at('planted.fa'), fastaOf({ chr1: planted }, 60))
  const records = [496, 497, 498, 499].concat([420, 440, 550, 570]).map((position) => {
    const ref = planted[position - 1]!
    return `chr1\t${position}\t.\t${ref}\t${other(ref)}\t.\t.\t.\n`
  })
  await writeFile(at('planted.vcf'), records.join(''))
  const args = ['variants', DEMO_MODEL, '--vcf', at('planted.vcf'), '--genome', at('planted.fa')]
  const { code, stderr } = await runCli([...args, '--target', 'logits:0', '--out', at('planted.tsv')])
  expect(code, stderr).toBe(0)
  const effects = (await table('planted.tsv')).map(({ diff }) => Number(diff))
  expect(Math.max(...effects.slice(0, 4))).toBeLessThan(0)
  expect(Math.max(...effects.slice(0, 4))).toBeLessThan(Math.min(...effects.slice(4)))
})

describe('heads of profile and counts', () => {
  const POSITIONS = LENGTH - 8
  const ZEROS = ['--input', 'control=zeros']

  async function outputs(codes: Uint8Array) {
    const control = { data: new Float32Array(2 * POSITIONS), shape: [1, 2, POSITIONS] }
    const run = (data: Uint8Array) => heads.predict({ sequence: { data, shape: [1, LENGTH] }, control })
    const [forward, reverse] = [await run(codes), await run(reverseComplement(codes))]
    const turned = [...reverse.profile!.data].reverse()
    return {
      counts: (Math.exp(forward.counts!.data[0]!) + Math.exp(reverse.counts!.data[0]!)) / 2,
      logits: [...forward.profile!.data].map((value, index) => (value + turned[index]!) / 2),
    }
  }

  function plainDistance(a: readonly number[], b: readonly number[]): number {
    const softmax = (logits: readonly number[]) => {
      const powers = logits.map(Math.exp)
      return powers.map((power) => power / sum(powers))
    }
    const [p, q] = [softmax(a), softmax(b)]
    const half = (x: number[], y: number[]) =>
      sum(x.map((value, index) => value * Math.log2((2 * value) / (value + y[index]!))))
    return Math.sqrt((half(p, q) + half(q, p)) / 2)
  }

  test('give the columns of variant-scorer', async () => {
    await variants([...ZEROS, '--head', 'counts', '--head', 'profile', '--out', at('h')], 'heads')
    const rows = await table('h.variant_scores.tsv')
    expect(Object.keys(rows[0]!).slice(5)).toEqual([
      ...[
        'allele1_pred_counts',
        'allele2_pred_counts',
        'logfc',
        'abs_logfc',
        'jsd',
        'logfc_x_jsd',
        'abs_logfc_x_jsd',
      ],
    ])
    for (const [index, variant] of VARIANTS.entries()) {
      const row = rows[index]!
      const [first, second] = await Promise.all(windowsOf(variant).map(outputs))
      expect(Number(row.allele1_pred_counts)).toBeCloseTo(first!.counts, 12)
      expect(Number(row.logfc)).toBeCloseTo(Math.log2(second!.counts / first!.counts), 12)
      expect(Number(row.abs_logfc)).toBe(Math.abs(Number(row.logfc)))
      // Positions that only one allele has are left out: index 20 of the window is position 16 of the profile.
      const change = variant.alt.length - variant.ref.length
      const [cut, kept] = [
        Math.min(variant.alt.length, variant.ref.length) + 16,
        POSITIONS - Math.abs(change),
      ]
      const strand = (logits: readonly number[], longer: boolean) =>
        [0, 1].flatMap((each) =>
          logits
            .slice(each * POSITIONS, (each + 1) * POSITIONS)
            .filter((_, at) => (longer ? at < cut || at >= cut + Math.abs(change) : at < kept)),
        )
      const jsd = plainDistance(strand(first!.logits, change < 0), strand(second!.logits, change > 0))
      expect(Number(row.jsd)).toBeCloseTo(jsd, 10)
      expect(Number(row.jsd)).toBeGreaterThan(0)
      expect(Number(row.logfc_x_jsd)).toBe(Number(row.logfc) * Number(row.jsd))
      expect(Number(row.abs_logfc_x_jsd)).toBe(Number(row.abs_logfc) * Number(row.jsd))
    }
  })

  test('and where counts stand among those of peaks', async () => {
    const centres = Array.from({ length: 12 }, (_, index) => 30 + 20 * index)
    const rows = centres.map((centre) => `chr1\t${centre}\t${centre + 1}\n`)
    await writeFile(at('peaks.bed'), [...rows, 'chr2\t3\t4\n'].join(''))
    const args = [...ZEROS, '--head', 'counts', '--head', 'profile', '--peaks', at('peaks.bed')]
    await variants([...args, '--out', at('q.tsv')], 'heads')
    const found = await table('q.tsv')
    const peaks = await Promise.all(
      centres.map(async (centre) => {
        const text = CHR1.slice(centre - LENGTH / 2, centre + LENGTH / 2)
        return (await outputs(Uint8Array.from(text, (base) => 'ACGT'.indexOf(base)))).counts
      }),
    )
    const quantile = (counts: string) =>
      Math.max(peaks.filter((peak) => peak < Number(counts)).length, 1) / peaks.length
    for (const row of found) {
      const [first, second] = [quantile(row.allele1_pred_counts!), quantile(row.allele2_pred_counts!)]
      expect([Number(row.allele1_quantile), Number(row.allele2_quantile)]).toEqual([first, second])
      const active = Math.max(first, second)
      expect(Number(row.active_allele_quantile)).toBe(active)
      expect(Number(row.abs_quantile_change)).toBe(Math.abs(second - first))
      expect(Number(row.abs_logfc_x_jsd_x_active_allele_quantile)).toBe(Number(row.abs_logfc_x_jsd) * active)
    }
    expect(new Set(found.map(({ allele1_quantile }) => allele1_quantile)).size).toBeGreaterThan(1)
    const none = ['--head', 'profile', ...ZEROS, '--peaks', at('peaks.bed'), '--out', at('wrong.tsv')]
    expect((await variants(none, 'heads', 2)).stderr).toMatch(/it takes one --head counts/)
    expect(await leftovers()).toEqual([])
  })

  test('with control tracks that are turned with the sequence', async () => {
    const control = randomFloats(2 * POSITIONS, 21)
    await writeNpy(at('control.npy'), { dtype: 'float32', shape: [2, POSITIONS], data: control })
    const target = ['--target', 'counts:0', '--input', `control=${at('control.npy')}`]
    await variants([...target, '--out', at('k.tsv')], 'heads')
    const [row] = await table('k.tsv')
    const run = async (data: Uint8Array, tracks: Float32Array) =>
      (
        await heads.predict({
          sequence: { data, shape: [1, LENGTH] },
          control: { data: tracks, shape: [1, 2, POSITIONS] },
        })
      ).counts!.data[0]!
    const [codes] = windowsOf(VARIANTS[0]!)
    const both = [
      await run(codes, control),
      await run(reverseComplement(codes), control.slice().reverse()),
    ] as const
    expect(Number(row!.allele1_pred)).toBe((both[0] + both[1]) / 2)
  })
})

describe('contributions', () => {
  const SCORE = ['--target', '1', '--contributions', '--reference', 'dinuc-shuffle:3', '--seed', '7']

  test('of both alleles are against the same references, in the rows of the table', async () => {
    const { stdout } = await variants([...SCORE, '--hypothetical', '--out', at('s.tsv'), '--json'])
    const { files, worstCompleteness } = JSON.parse(stdout)
    expect(files).toEqual([at('s.tsv'), at('s.tsv.json'), at('s.allele1.npz'), at('s.allele2.npz')])
    expect(worstCompleteness).toBeLessThan(1e-4)
    const shuffle = dinucleotideShuffle({ count: 3, seed: 7 })
    const all = VARIANTS.map(windowsOf)
    const shuffles = all.flatMap(([origin], number) => [...shuffledSequences(origin, shuffle, number).data])
    const references = {
      perExample: { data: Uint8Array.from(shuffles), shape: [VARIANTS.length, 3, LENGTH] },
    }
    for (const [index, name] of ['allele1', 'allele2'].entries()) {
      const archive = await readNpz(at(`s.${name}.npz`))
      const data = Uint8Array.from(all.flatMap((pair) => [...pair[index]!]))
      const scores = await model.score(
        { x: { data, shape: [VARIANTS.length, LENGTH] } },
        { references, target: 1, reverseComplement: true, outputs: ['contributions', 'hypothetical'] },
      )
      expect(archive.sequences!.data).toEqual(data)
      expect(archive.names!.data).toEqual(VARIANTS.map(({ id }) => id))
      expect(floats(archive.contributions)).toEqual([...scores.contributions.x!.data])
      expect(floats(archive.hypothetical)).toEqual([...scores.hypothetical.x!.data])
    }
  })

  test('differ by as much as the predictions do', async () => {
    await variants([...SCORE, '--out', at('w.tsv')])
    const rows = await table('w.tsv')
    const [first, second] = await Promise.all(
      ['allele1', 'allele2'].map(async (name) => floats((await readNpz(at(`w.${name}.npz`))).contributions)),
    )
    const size = 4 * LENGTH
    for (const [index, row] of rows.entries()) {
      const total = (values: number[]) => sum(values.slice(index * size, (index + 1) * size))
      expect(total(second!) - total(first!)).toBeCloseTo(Number(row.diff), 5)
    }
  })

  test('of allele 1 are those that score gives for its shuffles', async () => {
    await variants([...SCORE, '--forward-only', '--out', at('t.tsv')])
    const archive = await readNpz(at('t.allele1.npz'))
    const data = Uint8Array.from(VARIANTS.flatMap((variant) => [...windowsOf(variant)[0]]))
    const scores = await model.score(
      { x: { data, shape: [VARIANTS.length, LENGTH] } },
      { references: dinucleotideShuffle({ count: 3, seed: 7 }), target: 1 },
    )
    expect(largestDifference(floats(archive.contributions), scores.contributions.x!.data)).toBeLessThan(1e-6)
  })

  test('in the files of other tools, one for each of several targets', async () => {
    await variants([...SCORE, '--format', 'modisco', '--out', at('u.tsv')])
    await variants([...SCORE, '--target', '0', '--format', 'chrombpnet', '--out', at('u.tsv')])
    const names = (await readdir(folder)).filter((name) => name.startsWith('u.allele'))
    expect(names.sort()).toEqual(
      ['allele1', 'allele2'].flatMap((allele) =>
        ['attr.npz', 'ohe.npz', 'target-0.h5', 'target-1.h5'].map((name) => `u.${allele}.${name}`),
      ),
    )
  })
})

test('an interrupt leaves nothing behind', async () => {
  const many = Array.from({ length: 20_000 }, (_, index) => {
    const position = 100 + (index % 100)
    return `chr1\t${position}\t.\t${CHR1[position - 1]}\tN\t.\t.\t.\n`
  })
  await writeFile(at('many.vcf'), many.join(''))
  const args = [
    'variants',
    at('model.onnx'),
    '--genome',
    at('g.fa'),
    '--vcf',
    at('many.vcf'),
    '--target',
    '1',
  ]
  const begun = async () => {
    while (!(await leftovers()).some((name) => name.endsWith('.tmp')))
      await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const { code } = await runCli([...args, '--batch', '1', '--out', at('wrong.tsv')], { interrupt: begun() })
  expect(code).toBe(130)
  expect(await leftovers()).toEqual([])
})

describe('what goes wrong', () => {
  const cases: [string, () => string[], number, RegExp][] = [
    ['two files of variants', () => ['--variants', 'x', '--vcf', 'y'], 2, /--vcf FILE or as --variants FILE/],
    [
      'an unknown schema',
      () => ['--variants', 'x', '--schema', 'vcf'],
      2,
      /chrombpnet, original, plink, bed/,
    ],
    [
      'scores without references',
      () => ['--contributions'],
      2,
      /variants: say what inputs are compared with/,
    ],
    ['references without scores', () => ['--reference', 'zeros'], 2, /add --contributions/],
    [
      'a format of regions',
      () => ['--contributions', '--reference', 'zeros', '--format', 'bigwig'],
      2,
      /holds regions/,
    ],
    [
      'values for the only input',
      () => ['--input', 'x=zeros'],
      2,
      /leave out the one that takes the sequences/,
    ],
    ['another input', () => ['--input', 'control=zeros'], 2, /the model has the inputs x/],
    ['a target beyond the output', () => ['--target', '3'], 2, /index 3 is beyond/],
    [
      'reverse targets for some',
      () => ['--target', '1', '--target', '0', '--reverse-target', '1'],
      2,
      /expected 2/,
    ],
    ['another chromosome', () => ['--vcf', at('un.vcf')], 3, /un\.vcf, line 1: .*no chromosome "chr3"/],
    ['a missing file', () => ['--vcf', 'no.vcf'], 3, /no\.vcf does not exist/],
  ]
  test.each(cases)('%s', async (_, args, code, message) => {
    const given = args()
    const target = given.includes('--target') ? [] : ['--target', '0']
    const { stderr } = await variants([...target, ...given, '--out', at('wrong.tsv')], 'model', code)
    expect(stderr).toMatch(message)
    expect(stderr).not.toContain('    at ')
    expect(await leftovers()).toEqual([])
  })

  test('no variants, and inputs without values', async () => {
    await writeFile(at('none.vcf'), VCF.split('\n').slice(0, 2).join('\n'))
    const none = await variants(
      ['--vcf', at('none.vcf'), '--target', '0', '--out', at('wrong.tsv')],
      'model',
      3,
    )
    expect(none.stderr).toMatch(/none\.vcf has no variants to compare/)
    const input = await variants(['--head', 'counts', '--out', at('wrong.tsv')], 'heads', 2)
    expect(input.stderr).toMatch(/the model has the inputs sequence, control; one takes the sequences/)
    expect(await leftovers()).toEqual([])
  })
})

describe('parameters', () => {
  test('are written beside results, and give them again', async () => {
    await variants(['--target', '1', '--forward-only', '--out', at('p1.tsv')])
    const { code, stderr } = await runCli([
      'variants',
      '--params',
      at('p1.params.json'),
      '--out',
      at('p2.tsv'),
    ])
    expect(code, stderr).toBe(0)
    expect(await readFile(at('p2.tsv'))).toEqual(await readFile(at('p1.tsv')))
  })

  test('have a schema, which is published', async () => {
    const command = createProgram().commands.find((each) => each.name() === 'variants')!
    const schema = parameterSchema(command) as { properties: Record<string, object> }
    await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot(
      '../../schemas/variants.schema.json',
    )
    const written = JSON.parse(await readFile(at('p1.params.json'), 'utf8'))
    for (const key of Object.keys(written)) expect(Object.keys(schema.properties)).toContain(key)
  })
})
