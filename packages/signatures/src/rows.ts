import { TRANSFER_BYTES, WITHDRAWAL_BYTES } from './operation-bytes.ts'

/**
 * The layout of a row: one signed operation waiting for its signature check, 256 bytes of shared memory.
 *
 *   0    owner      32   x-only key of the paying cell; filled in by whoever claims the row
 *   32   operation  174  canonical bytes of a transfer, or zeros and those of a withdrawal (protocol §3, kinds 1 and 4)
 *   206  id         32   operation id, written by the worker
 *   238  status     1    written by the worker
 *   239  zero       17
 *
 * Both kinds end in their signature, so that it stands in the same place.
 */
export const ROW_BYTES = 256
export const OWNER_AT = 0
export const OPERATION_AT = 32
export const ID_AT = 206
export const STATUS_AT = 238

export const KEY_BYTES = 32
export const HASH_BYTES = 32
export const SIGNATURE_BYTES = 64

/** Where a withdrawal begins. Its first byte, as a transfer's, is its kind, and not zero. */
export const WITHDRAWAL_AT = OPERATION_AT + TRANSFER_BYTES - WITHDRAWAL_BYTES

/** Where a transfer's fields stand in its own bytes. What is signed: from … to key, then flags … memo. */
export const FROM_AT = 1
export const TO_CELL_AT = 49
export const FLAGS_AT = 57
export const SIGNATURE_AT = 110

/** A row's verdict. Pending is zero, so memory that nobody judged never reads as valid. */
const PENDING = 0
export const VALID = 1
export const INVALID = 2

/**
 * Fills row `index` of `rows`, which is zeroed: the payer's x-only key (32 bytes) and a transfer (174 bytes) or a
 * withdrawal (142 bytes).
 * @throws RangeError when a length is wrong or the row is not there: bytes from outside are decoded before this.
 */
export function writeRow(rows: Uint8Array, index: number, owner: Uint8Array, operation: Uint8Array): void {
  const { length } = operation
  if (owner.length !== KEY_BYTES || (length !== TRANSFER_BYTES && length !== WITHDRAWAL_BYTES)) {
    throw new RangeError(
      `a row takes a key of 32 bytes and an operation of 174 or 142, not ${owner.length} and ${length}`,
    )
  }
  const at = rowAt(rows, index)
  rows.set(owner, at + OWNER_AT)
  rows.set(operation, at + OPERATION_AT + TRANSFER_BYTES - length)
}

/** Whether row `index` was judged and its signature is right. */
export function isRowValid(rows: Uint8Array, index: number): boolean {
  return rows[rowAt(rows, index) + STATUS_AT] === VALID
}

/** Copies row `index`'s operation id (32 bytes) to `into`, which it gives; zeros until the row was judged. */
export function readRowId(rows: Uint8Array, index: number, into = new Uint8Array(HASH_BYTES)): Uint8Array {
  return copy32(rows, rowAt(rows, index) + ID_AT, into)
}

/** Copies the key (32 bytes) that row `index` was filled with to `into`, which it gives. */
export function readRowOwner(rows: Uint8Array, index: number, into = new Uint8Array(KEY_BYTES)): Uint8Array {
  return copy32(rows, rowAt(rows, index) + OWNER_AT, into)
}

/** Byte by byte: so few are copied faster than a view of them is made. */
function copy32(rows: Uint8Array, from: number, into: Uint8Array): Uint8Array {
  for (let at = 0; at < 32; at++) into[at] = rows[from + at] as number
  return into
}

/** Makes `count` rows from `start` pending again. */
export function clearStatuses(rows: Uint8Array, start: number, count: number): void {
  for (let row = start; row < start + count; row++) rows[row * ROW_BYTES + STATUS_AT] = PENDING
}

export function areAllJudged(rows: Uint8Array, start: number, count: number): boolean {
  for (let row = start; row < start + count; row++) {
    const status = rows[row * ROW_BYTES + STATUS_AT]
    if (status !== VALID && status !== INVALID) return false
  }
  return true
}

function rowAt(rows: Uint8Array, index: number): number {
  const at = index * ROW_BYTES
  if (!Number.isInteger(index) || index < 0 || at + ROW_BYTES > rows.length)
    throw new RangeError(`there is no row ${index}`)
  return at
}
