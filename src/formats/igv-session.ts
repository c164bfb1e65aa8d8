/**
 * A session of igv.js that shows a bigWig as letters as tall as their scores: `igv.createBrowser(div, session)`, or
 * "Load Session" of IGV-Web. Letters appear where a base is wider than half a pixel.
 */

import { basename, dirname, relative } from 'node:path'

/** @param locus `chrom:start-end`, 1-based as browsers count. */
export function igvSession(bigWig: string, genome: string, locus: string): string {
  const url = relative(dirname(bigWig), genome).split('\\').join('/')
  const session = {
    reference: { id: basename(genome), name: basename(genome), ...sequenceOf(url) },
    locus,
    tracks: [
      {
        type: 'wig',
        format: 'bigWig',
        graphType: 'dynseq',
        name: basename(bigWig),
        url: basename(bigWig),
        autoscale: true,
        height: 120,
      },
    ],
  }
  return `${JSON.stringify(session, null, 2)}\n`
}

function sequenceOf(url: string): Record<string, string> {
  if (url.endsWith('.2bit')) return { twoBitURL: url }
  const index = { fastaURL: url, indexURL: `${url}.fai` }
  return /\.b?gz$/.test(url) ? { ...index, compressedIndexURL: `${url}.gzi` } : index
}
