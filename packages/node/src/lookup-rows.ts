import type { Position } from '@kedge/core'

/**
 * Where operations stand, as rows of four u32: key (high, low), batch, index. A sorted list of rows is in the order of
 * keys, and of one key in the order of the ledger.
 */

export const ROW_WORDS = 4

export interface RowKey {
  readonly high: number
  readonly low: number
}

const KIND_CELL = 0
const KIND_PAYMENT = 2 ** 30
const KIND_CREDIT = 2 ** 31

export function cellKey(cell: number): RowKey {
  return { high: KIND_CELL + Math.floor(cell / 2 ** 32), low: cell % 2 ** 32 }
}

const KIND_FORCED = 2 ** 31 + 2 ** 30
const KIND_CLAIM = KIND_FORCED + 2 ** 29

/** A forced operation, by its place in Bitcoin: one a transaction. */
export function forcedKey({ height, tx }: Position): RowKey {
  return { high: KIND_FORCED + height, low: tx }
}

export function claimKey(number: number): RowKey {
  return { high: KIND_CLAIM, low: number }
}

/** 62 bits of the id: who finds a row looks whether it is the payment's. */
export function paymentKey(id: Uint8Array): RowKey {
  const view = new DataView(id.buffer, id.byteOffset)
  return { high: KIND_PAYMENT + (view.getUint32(0) & 0x3fffffff), low: view.getUint32(4) }
}

/** A block of Bitcoin's 1 MB without witnesses has room for less than 2^15 transactions, and for less than 2^17 outputs. */
export function creditKey({ height, tx, index }: Position): RowKey {
  return { high: KIND_CREDIT + height, low: tx * 2 ** 17 + index }
}

/** A growing list of rows. */
export class RowList {
  private words: Uint32Array
  private used = 0

  /** @param rows how many there is room for at first */
  constructor(rows: number) {
    this.words = new Uint32Array(ROW_WORDS * rows)
  }

  get count(): number {
    return this.used / ROW_WORDS
  }

  add({ high, low }: RowKey, batch: number, index: number): void {
    if (this.used === this.words.length) {
      const larger = new Uint32Array(2 * this.words.length + 64 * ROW_WORDS)
      larger.set(this.words)
      this.words = larger
    }
    this.words[this.used++] = high
    this.words[this.used++] = low
    this.words[this.used++] = batch
    this.words[this.used++] = index
  }

  /** Sorted. Rows of one key must have been added in the ledger's order. */
  sorted(): Uint32Array {
    return sortRows(this.words.slice(0, this.used))
  }
}

/** By key; stable. 16 bits a pass: no comparing sort comes near it at a hundred thousand rows. */
export function sortRows(rows: Uint32Array): Uint32Array {
  let [from, to] = [Uint32Array.from(rows), new Uint32Array(rows.length)]
  const wordAt = (at: number) => from[at] as number
  for (const [word, shift] of DIGITS) {
    const digitAt = (row: number) => (wordAt(row + word) >>> shift) & (DIGIT_VALUES - 1)
    const places = placesOf(from.length, digitAt)
    for (let row = 0; row < from.length; row += ROW_WORDS) {
      const digit = digitAt(row)
      const place = places[digit] as number
      places[digit] = place + ROW_WORDS
      for (let each = 0; each < ROW_WORDS; each++) to[place + each] = wordAt(row + each)
    }
    ;[from, to] = [to, from]
  }
  return from
}

/** For each digit, where the first row with it goes. */
function placesOf(words: number, digitAt: (row: number) => number): Uint32Array {
  const places = new Uint32Array(DIGIT_VALUES + 1)
  for (let row = 0; row < words; row += ROW_WORDS) {
    const above = digitAt(row) + 1
    places[above] = (places[above] as number) + ROW_WORDS
  }
  for (let digit = 1; digit < DIGIT_VALUES; digit++) {
    places[digit] = (places[digit] as number) + (places[digit - 1] as number)
  }
  return places
}

const DIGIT_VALUES = 2 ** 16

/** Word and shift of each digit, the least significant first. */
const DIGITS = [
  [1, 0],
  [1, 16],
  [0, 0],
  [0, 16],
] as const
