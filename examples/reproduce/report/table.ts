/** A table, for readers and for programs. */

export interface Table {
  columns: readonly string[]
  rows: readonly (readonly (string | number)[])[]
}

/** Columns of numbers are aligned right. */
export function markdown({ columns, rows }: Table): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`
  return [
    line(columns),
    line(columns.map((_, index) => (rows.every((row) => /^-?\d/.test(String(row[index]))) ? '---:' : '---'))),
    ...rows.map(line),
  ].join('\n')
}

export function csv({ columns, rows }: Table): string {
  const cell = (value: string | number) =>
    typeof value === 'string' && /[",]/.test(value) ? `"${value.replaceAll('"', '""')}"` : String(value)
  return `${[columns, ...rows].map((row) => row.map(cell).join(',')).join('\n')}\n`
}
