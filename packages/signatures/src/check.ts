import { createDigests } from './digests.ts'
import type { Engine } from './engine.ts'
import { TRANSFER_KIND, WITHDRAWAL_KIND } from './operation-bytes.ts'
import { HASH_BYTES, ID_AT, INVALID, OPERATION_AT, ROW_BYTES, STATUS_AT, WITHDRAWAL_AT } from './rows.ts'

/** Writes ids and statuses of `count` rows from `start`. */
export type CheckRows = (start: number, count: number) => void

/** A checker over `shared`, for runs of at most `limit` rows. `network` is the network's id, 32 bytes. */
export function createRowChecker(engine: Engine, network: Uint8Array, shared: Uint8Array, limit: number): CheckRows {
  const digests = createDigests(network)
  const copy = Buffer.alloc(limit * ROW_BYTES)
  const messages = Buffer.alloc(limit * HASH_BYTES)
  const verdicts = new Uint8Array(limit)
  return (start, count) => {
    // Everything is read from one private copy, so id, message and signature belong to the same bytes.
    copy.set(shared.subarray(start * ROW_BYTES, (start + count) * ROW_BYTES))
    for (let row = 0; row < count; row++) {
      const isWithdrawal = copy[row * ROW_BYTES + OPERATION_AT] === 0
      const { writeMessage, writeId } = isWithdrawal ? digests.withdrawal : digests.transfer
      const operationAt = row * ROW_BYTES + (isWithdrawal ? WITHDRAWAL_AT : OPERATION_AT)
      writeMessage(copy, operationAt, messages, row * HASH_BYTES)
      writeId(copy, operationAt, copy, row * ROW_BYTES + ID_AT)
    }
    const judged = verdicts.subarray(0, count)
    engine.verifyRows(copy.subarray(0, count * ROW_BYTES), messages.subarray(0, count * HASH_BYTES), judged)
    for (let row = 0; row < count; row++) {
      const at = row * ROW_BYTES
      const target = start * ROW_BYTES + at
      shared.set(copy.subarray(at + ID_AT, at + ID_AT + HASH_BYTES), target + ID_AT)
      shared[target + STATUS_AT] = isOfKnownKind(copy, at) ? (judged[row] ?? INVALID) : INVALID
    }
  }
}

/** The kind is not signed, it only tells operations apart. */
function isOfKnownKind(rows: Uint8Array, at: number): boolean {
  const first = rows[at + OPERATION_AT]
  return first === TRANSFER_KIND || (first === 0 && rows[at + WITHDRAWAL_AT] === WITHDRAWAL_KIND)
}
