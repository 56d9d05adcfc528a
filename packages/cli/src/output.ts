import type { Command } from 'commander'

/** Anything as JSON: amounts and other bigints as decimal strings, bytes as hex. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, part) => {
    if (typeof part === 'bigint') return String(part)
    return part instanceof Uint8Array ? Buffer.from(part).toString('hex') : part
  })
}

/** One answer, for programs or for people. */
export function answer(command: Command, value: unknown, human: () => readonly string[]): void {
  const isJson = command.optsWithGlobals<{ json?: boolean }>().json === true
  process.stdout.write(isJson ? `${toJson(value)}\n` : `${human().join('\n')}\n`)
}

/** Names to the left, in one column. */
export function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`)
}

/** Rows under their heads; figures to the right. */
export function table(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): string[] {
  const all = [heads, ...rows]
  const widths = heads.map((_, at) => Math.max(...all.map((row) => row[at]?.length ?? 0)))
  const pad = (text: string, at: number) =>
    right.includes(at) ? text.padStart(widths[at] ?? 0) : text.padEnd(widths[at] ?? 0)
  return all.map((row) => row.map(pad).join('  ').trimEnd())
}
