import { creditsDeposit, type Deposit } from './deposit.ts'
import type { Position } from './l1.ts'
import type { Operation, Refusal } from './operation.ts'
import type { Params } from './params.ts'
import type { Totals } from './totals.ts'

/** What Bitcoin's best chain says, as far as batches must heed it. */
export interface Facts {
  /** Hash of the best chain's block at a height, undefined above the tip and below the scan height. */
  blockHash(height: number): Uint8Array | undefined
  /** The first deposit behind a position. */
  depositAfter(position: Position): Deposit | undefined
}

/**
 * The deposit that operation `index` of a batch must credit, given the totals before it; undefined when it must not
 * be a deposit. Called with index = operation count it tells whether one was skipped. Deposits thus stand first, in
 * Bitcoin's order, up to the cap, and every omission or invention shows at one index.
 */
export function depositDue(
  params: Params,
  facts: Facts,
  originHeight: number,
  totals: Totals,
  index: number,
): Deposit | undefined {
  if (index >= params.caps.deposits) return undefined
  const next = facts.depositAfter(totals.depositCursor)
  return next !== undefined && next.position.height <= originHeight ? next : undefined
}

/** Whether an operation fails the duty at its index. */
export function findDutyFault(due: Deposit | undefined, operation: Operation): Refusal | undefined {
  if (due === undefined) return operation.kind === 'deposit' ? 'not-due' : undefined
  if (operation.kind !== 'deposit') return 'deposit-due'
  return creditsDeposit(operation, due) ? undefined : 'not-due'
}
