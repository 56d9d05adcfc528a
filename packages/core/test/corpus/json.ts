import { fromHex, toHex } from '../../src/bytes.ts'
import type { Totals } from '../../src/totals.ts'

/** Vectors as JSON: bytes in hex, amounts as decimal strings, what is short on one line. */

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json }

const WIDTH = 116

export function render(value: Json, indent = ''): string {
  const flat = JSON.stringify(value)
  if (typeof value !== 'object' || value === null || indent.length + flat.length <= WIDTH) return spaced(value)
  const deeper = `${indent}  `
  const rows = isList(value)
    ? value.map((item) => deeper + render(item, deeper))
    : Object.entries(value).map(([name, item]) => `${deeper}${JSON.stringify(name)}: ${render(item, deeper)}`)
  const [open, close] = isList(value) ? ['[', ']'] : ['{', '}']
  return `${open}\n${rows.join(',\n')}\n${indent}${close}`
}

function spaced(value: Json): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (isList(value)) return `[${value.map(spaced).join(', ')}]`
  const fields = Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${spaced(item)}`)
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}

/** Whatever a value holds, in JSON's terms. */
export function toJson(value: unknown): Json {
  if (value instanceof Uint8Array) return toHex(value)
  if (typeof value === 'bigint') return String(value)
  if (value === undefined) return null
  if (Array.isArray(value)) return value.map(toJson)
  if (typeof value !== 'object' || value === null) return value as Json
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  return Object.fromEntries(entries.map(([name, item]) => [name, toJson(item)]))
}

export const hex = (json: Json | undefined): Uint8Array => fromHex(String(json))

/** Totals from their JSON. */
export function totalsFrom(json: Record<string, Json>): Totals {
  const { supply, fees, owed, ...rest } = json
  const amounts = { supply: BigInt(String(supply)), fees: BigInt(String(fees)), owed: BigInt(String(owed)) }
  return { ...(rest as unknown as Totals), ...amounts }
}
