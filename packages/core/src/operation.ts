import { type Account, MAX_CELL } from './cell.ts'
import { U64_MAX } from './codec.ts'
import { applyCollect, COLLECT_KIND, type Collect, decodeCollect, encodeCollect } from './collect.ts'
import { applyCredit, type Credit, DEPOSIT_KIND, decodeCredit, encodeCredit } from './deposit.ts'
import { taggedHash } from './hash.ts'
import type { Params } from './params.ts'
import type { Totals } from './totals.ts'
import {
  applyTransfer,
  decodeTransfer,
  encodeTransfer,
  TRANSFER_BYTES,
  TRANSFER_KIND,
  type Transfer,
} from './transfer.ts'

/** What changes the ledger. Each kind lives in a file of its own; this one joins them. */
export type Operation = Transfer | Credit | Collect

/** The longest operation of any kind; whatever is longer does not decode. */
export const MAX_OPERATION_BYTES = TRANSFER_BYTES

/** Why an operation can't stand. A refused operation in a batch makes the batch void. */
export type Refusal =
  | 'undecodable'
  | 'unknown-cell'
  | 'self-transfer'
  | 'zero-amount'
  | 'nonce-used'
  | 'nonce-ahead'
  | 'expired'
  | 'may-not-create'
  | 'fee-too-low'
  | 'wrong-recipient'
  | 'insufficient-funds'
  | 'overflow'
  | 'bad-signature'
  | 'not-due'
  | 'deposit-due'

/** What surrounds an operation: the same for the whole batch. */
export interface Context {
  readonly params: Params
  /** Height of the batch's origin block: the ledger's only clock. */
  readonly originHeight: number
  /** Whether `owner` signed the transfer. A caller may have checked it before, bound to exactly these two. */
  readonly isSigned: (owner: Uint8Array, transfer: Transfer) => boolean
}

/** Cells by number. @throws MissingCellError for a cell that was not supplied: it must never read as empty. */
export interface Cells {
  account(cell: number): Account
}

export interface CellUpdate {
  readonly cell: number
  readonly account: Account
}

export type Outcome =
  | { readonly ok: true; readonly updates: readonly CellUpdate[]; readonly totals: Totals }
  | { readonly ok: false; readonly refusal: Refusal }

export type Apply<O> = (context: Context, cells: Cells, totals: Totals, operation: O) => Outcome

/** The one transition: built with by the sequencer, checked with by every node, judged with in a fraud proof. */
export const applyOperation: Apply<Operation> = (context, cells, totals, operation) => {
  const outcome = applyKind(context, cells, totals, operation)
  return outcome.ok && overflows(outcome.updates, outcome.totals) ? { ok: false, refusal: 'overflow' } : outcome
}

const applyKind: Apply<Operation> = (context, cells, totals, operation) => {
  switch (operation.kind) {
    case 'transfer':
      return applyTransfer(context, cells, totals, operation)
    case 'deposit':
      return applyCredit(context, cells, totals, operation)
    case 'collect':
      return applyCollect(context, cells, totals, operation)
  }
}

/**
 * Whether something no longer fits its field. True states are far from that, but a fraud proof may start from any state
 * that a liar committed to.
 */
function overflows(updates: readonly CellUpdate[], totals: Totals): boolean {
  for (const { account } of updates) if (account.nonce > U64_MAX || account.balance > U64_MAX) return true
  return totals.count >= MAX_CELL || totals.fees > U64_MAX || totals.supply > U64_MAX
}

export function encodeOperation(operation: Operation): Uint8Array {
  switch (operation.kind) {
    case 'transfer':
      return encodeTransfer(operation)
    case 'deposit':
      return encodeCredit(operation)
    case 'collect':
      return encodeCollect(operation)
  }
}

export function decodeOperation(bytes: Uint8Array): Operation | undefined {
  switch (bytes[0]) {
    case TRANSFER_KIND:
      return decodeTransfer(bytes)
    case DEPOSIT_KIND:
      return decodeCredit(bytes)
    case COLLECT_KIND:
      return decodeCollect(bytes)
    default:
      return undefined
  }
}

/** An operation's id, and its leaf in the batch's operations tree. */
export function operationId(bytes: Uint8Array): Uint8Array {
  return taggedHash('kedge/op', bytes)
}

/**
 * The cells an operation names, ascending, each once. The cell at `count` is the one it would create. Numbers beyond
 * it belong to no cell: the operation is refused without looking at any.
 */
export function touchedCells(operation: Operation, count: number): readonly number[] {
  const named = operation.kind === 'transfer' ? [operation.from, operation.toCell] : [operation.cell]
  return [...new Set(named)].filter((cell) => cell <= count).sort((a, b) => a - b)
}

export class MissingCellError extends Error {
  constructor(cell: number) {
    super(`cell ${cell} was not supplied`)
  }
}
