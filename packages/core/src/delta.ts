import { CELL_BYTES } from './cell.ts'
import { Reader, Writer } from './codec.ts'
import type { Rows } from './rows.ts'
import { decodeTotals, TOTALS_BYTES, type Totals } from './totals.ts'

/**
 * What a batch changed: totals before and after it, and for each touched cell which of its words changed, with the word
 * before ⊕ after. So one record leads both ways, and a payment takes some 40 bytes of it instead of 270.
 *
 *   totals before 64, totals after 64, count u32, then by column, ascending by cell: numbers u32 each; masks u16 each
 *   (bit i: word i changed), padded to 4; changed words, 4 each
 *
 * A cell was made by the batch if its number is not below the count before. Cells in memory stay below 2^32. It is a
 * node's own record, and never sent.
 */
export interface Delta {
  readonly totalsBefore: Totals
  readonly totalsAfter: Totals
  readonly cells: Uint32Array
  readonly masks: Uint16Array
  readonly words: Int32Array
}

const HEAD_BYTES = 2 * TOTALS_BYTES + 4
const CELL_WORDS = CELL_BYTES / 4

/** Each cell change of a batch in order (of steps), with the cell before it (zeros where it was made) and after it. */
export interface CellChanges {
  readonly cell: ArrayLike<number>
  readonly befores: Rows
  readonly afters: Rows
  /** Places in `cell` sorted by cell, then as they are. */
  readonly order: Uint32Array
}

/** Totals as encoded. */
export function encodeDelta(changes: CellChanges, totalsBefore: Uint8Array, totalsAfter: Uint8Array): Uint8Array {
  const { cell, order } = changes
  const cells = new Uint32Array(order.length)
  const masks = new Uint16Array(order.length)
  const words = new Int32Array(CELL_WORDS * order.length)
  let [count, used] = [0, 0]
  for (let first = 0, next = 0; first < order.length; first = next) {
    const number = cell[order[first] as number] as number
    while (next < order.length && cell[order[next] as number] === number) next++
    const mask = collectWords(changes, order[first] as number, order[next - 1] as number, words, used)
    used += bitsIn(mask)
    cells[count] = number
    masks[count++] = mask
  }
  return join(totalsBefore, totalsAfter, cells.subarray(0, count), masks.subarray(0, count), words.subarray(0, used))
}

/** Writes the words in which a cell's first state differs from its last, from `to` on. @returns which they are */
function collectWords({ befores, afters }: CellChanges, first: number, last: number, words: Int32Array, to: number) {
  let mask = 0
  let next = to
  for (let word = 0; word < CELL_WORDS; word++) {
    const before = befores.words[CELL_WORDS * first + word] as number
    const changed = before ^ (afters.words[CELL_WORDS * last + word] as number)
    if (changed === 0) continue
    mask |= 1 << word
    words[next++] = changed
  }
  return mask
}

function bitsIn(mask: number): number {
  let bits = 0
  for (let rest = mask; rest !== 0; rest &= rest - 1) bits++
  return bits
}

function join(
  before: Uint8Array,
  after: Uint8Array,
  cells: Uint32Array,
  masks: Uint16Array,
  words: Int32Array,
): Uint8Array {
  const [masksAt, wordsAt] = placesOf(cells.length)
  const bytes = new Uint8Array(wordsAt + words.byteLength)
  bytes.set(before)
  bytes.set(after, TOTALS_BYTES)
  bytes.set(new Writer(4).u32(cells.length).bytes, 2 * TOTALS_BYTES)
  new Uint32Array(bytes.buffer, HEAD_BYTES, cells.length).set(cells)
  new Uint16Array(bytes.buffer, masksAt, masks.length).set(masks)
  new Int32Array(bytes.buffer, wordsAt, words.length).set(words)
  return bytes
}

function placesOf(count: number): readonly [masksAt: number, wordsAt: number] {
  const masksAt = HEAD_BYTES + 4 * count
  return [masksAt, masksAt + 4 * Math.ceil(count / 2)]
}

/** @throws Error when the bytes are no delta: they are this node's own record. */
export function decodeDelta(source: Uint8Array): Delta {
  const reader = new Reader(source)
  const totalsBefore = decodeTotals(reader.fixed(TOTALS_BYTES))
  const totalsAfter = decodeTotals(reader.fixed(TOTALS_BYTES))
  const count = reader.u32()
  const [masksAt, wordsAt] = placesOf(count)
  const isWhole = !reader.failed && wordsAt <= source.length && (source.length - wordsAt) % 4 === 0
  if (!isWhole || totalsBefore === undefined || totalsAfter === undefined)
    throw new Error('the stored delta is damaged')
  // A copy, so that columns stand at multiples of their words' sizes.
  const { buffer } = source.slice()
  const masks = new Uint16Array(buffer, masksAt, count)
  const words = new Int32Array(buffer, wordsAt)
  if (masks.reduce((sum, mask) => sum + bitsIn(mask), 0) !== words.length)
    throw new Error('the stored delta is damaged')
  return { totalsBefore, totalsAfter, cells: new Uint32Array(buffer, HEAD_BYTES, count), masks, words }
}

/** Turns each touched cell, record i of `cells` for the i-th, into what it was on the other side of the batch. */
export function crossDelta({ masks, words }: Delta, cells: Rows): void {
  let next = 0
  masks.forEach((mask, at) => {
    for (let word = 0; word < CELL_WORDS; word++) {
      if ((mask & (1 << word)) === 0) continue
      const place = CELL_WORDS * at + word
      cells.words[place] = (cells.words[place] as number) ^ (words[next++] as number)
    }
  })
}
