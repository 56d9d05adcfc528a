import { MAX_CELL } from './cell.ts'
import { U64_MAX } from './codec.ts'
import type { Apply, CellUpdate, Outcome } from './operation.ts'
import type { Totals } from './totals.ts'
import {
  applyTransfer,
  decodeTransfer,
  encodeTransfer,
  TRANSFER_KIND,
  type Transfer,
  transferMessage,
} from './transfer.ts'
import {
  applyWithdrawal,
  decodeWithdrawal,
  encodeWithdrawal,
  WITHDRAWAL_KIND,
  type Withdrawal,
  withdrawalMessage,
} from './withdrawal.ts'

/** What a cell's owner signs. Only these can be forced. */
export type SignedOperation = Transfer | Withdrawal

/** The 32 bytes that the owner of the cell `from` signs. */
export function signedMessage(network: Uint8Array, operation: SignedOperation): Uint8Array {
  return operation.kind === 'transfer' ? transferMessage(network, operation) : withdrawalMessage(network, operation)
}

export const applySigned: Apply<SignedOperation> = (context, cells, totals, operation) =>
  operation.kind === 'transfer'
    ? applyTransfer(context, cells, totals, operation)
    : applyWithdrawal(context, cells, totals, operation)

export function encodeSigned(operation: SignedOperation): Uint8Array {
  return operation.kind === 'transfer' ? encodeTransfer(operation) : encodeWithdrawal(operation)
}

export function decodeSigned(bytes: Uint8Array): SignedOperation | undefined {
  switch (bytes[0]) {
    case TRANSFER_KIND:
      return decodeTransfer(bytes)
    case WITHDRAWAL_KIND:
      return decodeWithdrawal(bytes)
    default:
      return undefined
  }
}

/** The cells it names. */
export function cellsOfSigned(operation: SignedOperation): readonly number[] {
  return operation.kind === 'transfer' ? [operation.from, operation.toCell] : [operation.from]
}

/** The same outcome, or a refusal where something no longer fits its field. */
export function withinBounds(outcome: Outcome): Outcome {
  return outcome.ok && overflows(outcome.updates, outcome.totals) ? { ok: false, refusal: 'overflow' } : outcome
}

/**
 * True states are far from that, but a fraud proof may start from any state that a liar committed to. What only some
 * kinds change (owed) they look at themselves.
 */
function overflows(updates: readonly CellUpdate[], totals: Totals): boolean {
  for (const { account } of updates) if (account.nonce > U64_MAX || account.balance > U64_MAX) return true
  return totals.count >= MAX_CELL || totals.fees > U64_MAX || totals.supply > U64_MAX
}
