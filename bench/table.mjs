// Tables of records, whose keys are the columns: for terminals, and as Markdown.

/** Columns aligned to the right. */
export function alignedTable(rows) {
  const head = Object.keys(rows[0])
  const widths = head.map((title) => Math.max(title.length, ...rows.map((row) => String(row[title]).length)))
  const line = (cells) => cells.map((cell, i) => String(cell).padStart(widths[i])).join('  ')
  return [line(head), ...rows.map((row) => line(head.map((title) => row[title])))].join('\n')
}

/** Columns of numbers are aligned right. */
export function markdownTable(rows) {
  const head = Object.keys(rows[0])
  const line = (cells) => `| ${cells.join(' | ')} |`
  const numbers = (title) => rows.every((row) => /^[-\d]/.test(String(row[title])))
  return [
    line(head),
    line(head.map((title) => (numbers(title) ? '---:' : '---'))),
    ...rows.map((row) => line(head.map((title) => row[title]))),
  ].join('\n')
}
