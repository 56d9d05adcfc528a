import type { Account } from './cell.ts'
import { applyCollect, COLLECT_KIND, type Collect, decodeCollect, encodeCollect } from './collect.ts'
import { applyCredit, type Credit, DEPOSIT_KIND, decodeCredit, encodeCredit } from './deposit.ts'
import { applyForced, decodeForced, encodeForced, FORCED_HEAD_BYTES, FORCED_KIND, type Forced } from './forced.ts'
import { taggedHash } from './hash.ts'
import type { Params } from './params.ts'
import { applySigned, cellsOfSigned, decodeSigned, encodeSigned, type SignedOperation, withinBounds } from './signed.ts'
import type { Totals } from './totals.ts'
import { TRANSFER_BYTES } from './transfer.ts'

/** What changes the ledger. Each kind lives in a file of its own; this one joins them. */
export type Operation = SignedOperation | Credit | Collect | Forced

/** The longest operation of any kind; whatever is longer does not decode. */
export const MAX_OPERATION_BYTES = FORCED_HEAD_BYTES + TRANSFER_BYTES

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
  | 'payout-fee-too-low'
  | 'dust'
  | 'wrong-recipient'
  | 'insufficient-funds'
  | 'overflow'
  | 'bad-signature'
  | 'not-due'
  | 'deposit-due'
  | 'forced-due'

/** What surrounds an operation: the same for the whole batch. */
export interface Context {
  readonly params: Params
  /** Height of the batch's origin block: the ledger's only clock. */
  readonly originHeight: number
  /** Whether `owner` signed the operation. A caller may have checked it before, bound to exactly these two. */
  readonly isSigned: (owner: Uint8Array, operation: SignedOperation) => boolean
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
export const applyOperation: Apply<Operation> = (context, cells, totals, operation) =>
  withinBounds(applyKind(context, cells, totals, operation))

const applyKind: Apply<Operation> = (context, cells, totals, operation) => {
  switch (operation.kind) {
    case 'transfer':
    case 'withdrawal':
      return applySigned(context, cells, totals, operation)
    case 'deposit':
      return applyCredit(context, cells, totals, operation)
    case 'collect':
      return applyCollect(context, cells, totals, operation)
    case 'forced':
      return applyForced(context, cells, totals, operation)
  }
}

export function encodeOperation(operation: Operation): Uint8Array {
  switch (operation.kind) {
    case 'transfer':
    case 'withdrawal':
      return encodeSigned(operation)
    case 'deposit':
      return encodeCredit(operation)
    case 'collect':
      return encodeCollect(operation)
    case 'forced':
      return encodeForced(operation)
  }
}

export function decodeOperation(bytes: Uint8Array): Operation | undefined {
  switch (bytes[0]) {
    case DEPOSIT_KIND:
      return decodeCredit(bytes)
    case COLLECT_KIND:
      return decodeCollect(bytes)
    case FORCED_KIND:
      return decodeForced(bytes)
    default:
      return decodeSigned(bytes)
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
  return [...new Set(namedCells(operation))].filter((cell) => cell <= count).sort((a, b) => a - b)
}

/** Those that it names, in its own order. */
export function namedCells(operation: Operation): readonly number[] {
  switch (operation.kind) {
    case 'transfer':
    case 'withdrawal':
      return cellsOfSigned(operation)
    case 'deposit':
    case 'collect':
      return [operation.cell]
    case 'forced':
      return cellsOfSigned(operation.operation)
  }
}

export class MissingCellError extends Error {
  constructor(cell: number) {
    super(`cell ${cell} was not supplied`)
  }
}
