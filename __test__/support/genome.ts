/** Small genomes as files: FASTA, bgzip, 2bit. */

import { crc32, deflateRawSync } from 'node:zlib'

/** Letters of chromosomes by name. */
export type Letters = Readonly<Record<string, string>>

/** FASTA with `width` letters in a line. */
export function fastaOf(letters: Letters, width: number, newline = '\n'): string {
  return Object.entries(letters)
    .map(([name, text]) => {
      const lines = text.match(new RegExp(`.{1,${width}}`, 'g')) ?? []
      return [`>${name} a chromosome`, ...lines, ''].join(newline)
    })
    .join('')
}

/** One bgzip block: a gzip member whose extra field holds its own size. */
export function bgzipBlock(data: Uint8Array): Buffer {
  const deflated = deflateRawSync(data)
  const header = Buffer.from('1f8b08040000000000ff0600424302000000', 'hex')
  header.writeUInt16LE(header.length + deflated.length + 8 - 1, 16)
  const trailer = Buffer.alloc(8)
  trailer.writeUInt32LE(crc32(data), 0)
  trailer.writeUInt32LE(data.length, 4)
  return Buffer.concat([header, deflated, trailer])
}

export const BGZIP_END = Buffer.from('1f8b08040000000000ff0600424302001b0003000000000000000000', 'hex')

/** A bgzip file with `size` bytes in each block. */
export function bgzip(data: Uint8Array, size: number): Buffer {
  const blocks: Buffer[] = []
  for (let start = 0; start < data.length; start += size)
    blocks.push(bgzipBlock(data.subarray(start, start + size)))
  return Buffer.concat([...blocks, BGZIP_END])
}

/** A 2bit file of version 0: runs of N and of lower case are listed, other letters are ACGT. */
export function twoBitOf(letters: Letters): Buffer {
  const records = Object.values(letters).map(twoBitRecord)
  const names = Object.keys(letters).map((name) => Buffer.from(name))
  let offset = 16 + names.reduce((sum, name) => sum + 1 + name.length + 4, 0)
  const index = names.map((name, i) => {
    const entry = Buffer.concat([Buffer.of(name.length), name, uint32(offset)])
    offset += records[i]!.length
    return entry
  })
  return Buffer.concat([uint32(0x1a412743, 0, names.length, 0), ...index, ...records])
}

function twoBitRecord(text: string): Buffer {
  const packed = Buffer.alloc(Math.ceil(text.length / 4))
  for (const [position, letter] of [...text.toUpperCase()].entries())
    packed[position >> 2]! |= Math.max(0, 'TCAG'.indexOf(letter)) << (6 - 2 * (position % 4))
  return Buffer.concat([uint32(text.length), runs(text, /[Nn]+/g), runs(text, /[a-z]+/g), uint32(0), packed])
}

function runs(text: string, pattern: RegExp): Buffer {
  const found = [...text.matchAll(pattern)]
  return uint32(found.length, ...found.map(({ index }) => index), ...found.map(([run]) => run.length))
}

function uint32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, 4 * index)
  return bytes
}
