/** Names of the files that a command leaves. */

const EXTENSION = /\.(npz|npy|tsv|h5|bw)$/

/** What the names of files beside the results begin with: the name of the result without its extension. */
export function prefixOf(out: string): string {
  return out.replace(EXTENSION, '')
}

/** The parameters that a result was made with. */
export function parametersPathOf(out: string): string {
  return `${prefixOf(out)}.params.json`
}

/** The folder of the job that makes a result, while it is made. */
export function jobFolderOf(out: string): string {
  return `${prefixOf(out)}.job`
}

/** The file of one of several targets: `PREFIX.counts_scores.h5` for `PREFIX.h5`. */
export function fileOfTarget(out: string, target: string): string {
  const prefix = prefixOf(out)
  return `${prefix}.${target}${out.slice(prefix.length)}`
}
