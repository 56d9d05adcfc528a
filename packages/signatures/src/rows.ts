import { TRANSFER_BYTES } from '@kedge/core'

/**
 * The layout of a row: one transfer waiting for its signature check, 256 bytes of shared memory.
 *
 *   0    owner     32   x-only key of the payer's cell; filled in by whoever claims the row
 *   32   transfer  174  canonical bytes (protocol §3, kind 1); filled in likewise
 *   206  id        32   operation id, written by the worker
 *   238  status    1    written by the worker
 *   239  zero      17
 */
export const ROW_BYTES = 256
export const OWNER_AT = 0
export const TRANSFER_AT = 32
export const ID_AT = 206
export const STATUS_AT = 238

export const KEY_BYTES = 32
export const HASH_BYTES = 32
export const SIGNATURE_BYTES = 64
export const TRANSFER_KIND = 1

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
 * Fills row `index` of `rows`: the payer's x-only key (32 bytes) and the transfer (174 bytes).
 * @throws RangeError when a length is wrong or the row is not there: bytes from outside are decoded before this.
 */
export function writeRow(rows: Uint8Array, index: number, owner: Uint8Array, transfer: Uint8Array): void {
  if (owner.length !== KEY_BYTES || transfer.length !== TRANSFER_BYTES) {
    throw new RangeError(
      `a row takes a key of 32 and a transfer of 174 bytes, not ${owner.length} and ${transfer.length}`,
    )
  }
  const at = rowAt(rows, index)
  rows.set(owner, at + OWNER_AT)
  rows.set(transfer, at + TRANSFER_AT)
}

/** Whether row `index` was judged and its signature is right. */
export function isRowValid(rows: Uint8Array, index: number): boolean {
  return rows[rowAt(rows, index) + STATUS_AT] === VALID
}

/** A copy of row `index`'s operation id (32 bytes); zeros until the row was judged. */
export function readRowId(rows: Uint8Array, index: number): Uint8Array {
  const at = rowAt(rows, index) + ID_AT
  return rows.slice(at, at + HASH_BYTES)
}

/** A copy of the key (32 bytes) that row `index` was filled with. */
export function readRowOwner(rows: Uint8Array, index: number): Uint8Array {
  const at = rowAt(rows, index) + OWNER_AT
  return rows.slice(at, at + KEY_BYTES)
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
