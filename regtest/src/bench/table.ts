import { meetsGoal, type Row } from './row.ts'

/** Rows for people to read, in columns. */
export function printTable(rows: readonly Row[]): string {
  const head = ['row', 'value', 'unit', 'min..max', 'limit', 'goal', 'peers']
  return alignColumns([head, ...rows.map(cellsOf)], new Set([1, 3, 4]))
}

function cellsOf(row: Row): string[] {
  const { name, unit, value, min, max, limit, peers = {} } = row
  const others = Object.entries(peers).map(([peer, figure]) => `${peer}: ${printFigure(figure)}`)
  return [
    ...[name, printFigure(value), unit, `${printFigure(min)}..${printFigure(max)}`],
    ...[limit === undefined ? '' : printFigure(limit), printGoal(row), others.join('; ')],
  ]
}

function printGoal(row: Row): string {
  if (row.goal === undefined) return ''
  const { is, value } = row.goal
  const sign = is === 'at least' ? '≥' : '≤'
  return `${sign} ${printFigure(value)} ${meetsGoal(row) ? 'reached' : 'MISSED'}`
}

/** Three digits say all that this noise allows; whole numbers from 1,000 on. */
export function printFigure(figure: number): string {
  const digits = figure >= 1000 ? 0 : figure >= 100 ? 0 : figure >= 10 ? 1 : figure >= 1 ? 2 : 3
  return figure.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** Names and their values, a line each. */
export function printFacts(facts: Readonly<Record<string, string | number>>): string {
  return alignColumns(
    Object.entries(facts).map(([name, value]) => [name, String(value)]),
    new Set(),
  )
}

function alignColumns(lines: readonly (readonly string[])[], rightAligned: ReadonlySet<number>): string {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)))
  const aligned = lines.map((line) =>
    line.map((cell, column) => {
      const width = widths[column] ?? 0
      return rightAligned.has(column) ? cell.padStart(width) : cell.padEnd(width)
    }),
  )
  return aligned.map((cells) => cells.join('  ').trimEnd()).join('\n')
}
