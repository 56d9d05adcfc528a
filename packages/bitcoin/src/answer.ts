import { reverseBytes, toHex } from '@kedge/core'

/** bitcoind's JSON, read into values. What has another shape than documented throws: the backend is not what it says. */

export type JsonRecord = Readonly<Record<string, unknown>>

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function asRecord(value: unknown, at: string): JsonRecord {
  if (!isRecord(value)) throw new TypeError(`${at} is not an object`)
  return value
}

export function asList(value: unknown, at: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError(`${at} is not a list`)
  return value
}

export function asText(value: unknown, at: string): string {
  if (typeof value !== 'string') throw new TypeError(`${at} is not a string`)
  return value
}

export function asInteger(value: unknown, at: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new TypeError(`${at} is not an integer`)
  return value
}

export function asBytes(value: unknown, at: string): Uint8Array {
  const text = asText(value, at)
  const bytes = new Uint8Array(Buffer.from(text, 'hex'))
  if (bytes.length * 2 !== text.length) throw new TypeError(`${at} is not hex`)
  return bytes
}

/** A block hash or txid: printed byte-reversed, hashing order here. */
export function asHash(value: unknown, at: string): Uint8Array {
  const bytes = asBytes(value, at)
  if (bytes.length !== 32) throw new TypeError(`${at} is not a hash`)
  return reverseBytes(bytes)
}

/** A hash as bitcoind prints it. */
export function printHash(hash: Uint8Array): string {
  return toHex(reverseBytes(hash))
}

/** Satoshis, from a JSON number of bitcoin. 21e6 bitcoin in satoshis is below 2^53, so rounding is exact. */
export function asSatoshis(value: unknown, at: string): bigint {
  if (typeof value !== 'number') throw new TypeError(`${at} is not a number`)
  return BigInt(Math.round(value * 1e8))
}

/** Satoshis as bitcoind takes amounts: a decimal string of bitcoin. */
export function printBitcoin(satoshis: bigint): string {
  return `${satoshis / 100_000_000n}.${String(satoshis % 100_000_000n).padStart(8, '0')}`
}

/** sat/vB, from a JSON number of bitcoin per 1,000 vB; exact to a thousandth. */
export function asFeeRate(value: unknown, at: string): number {
  return Number(asSatoshis(value, at)) / 1000
}
