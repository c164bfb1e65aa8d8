/** What commands print: results on stdout, everything else on stderr. */

export interface Reporter {
  /** A result: text for people, or with `--json` the data. */
  result(text: () => string, data: unknown): void
  warn(message: string): void
  /** What is neither a result nor a warning. */
  note(message: string): void
}

export function createReporter(json: boolean): Reporter {
  return {
    result: (text, data) => {
      process.stdout.write(json ? `${JSON.stringify(data, null, 2)}\n` : `${text()}\n`)
    },
    warn: (message) => {
      process.stderr.write(`warning: ${message}\n`)
    },
    note: (message) => {
      process.stderr.write(`${message}\n`)
    },
  }
}

/** Columns as wide as their widest cell; numbers (columns in `right`) end at one edge. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, column) => Math.max(widest[column] ?? 0, cell.length)),
    [],
  )
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          right.includes(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P']

/** `1.23 G`: three significant digits and a decimal prefix. */
export function withPrefix(value: number, unit: string): string {
  const power = value < 1000 ? 0 : Math.min(PREFIXES.length - 1, Math.floor(Math.log10(value) / 3))
  const scaled = value / 1000 ** power
  const text =
    scaled >= 100 || (power === 0 && Number.isInteger(scaled)) ? scaled.toFixed(0) : scaled.toPrecision(3)
  return `${text} ${PREFIXES[power]}${unit}`.trimEnd()
}
