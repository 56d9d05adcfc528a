import { creditsDeposit, type Deposit, type SweptDeposit } from './deposit.ts'
import type { Outpoint, Position } from './l1.ts'
import type { Operation, Refusal } from './operation.ts'
import type { Params } from './params.ts'
import type { Totals } from './totals.ts'

/** What Bitcoin's best chain says, as far as batches must heed it. */
export interface Facts {
  /** Hash of the best chain's block at a height, undefined above the tip and below the scan height. */
  blockHash(height: number): Uint8Array | undefined
  /** The deposit in an output that nothing has spent. */
  depositAt(outpoint: Outpoint): Deposit | undefined
  /** The first deposit that was swept behind a position. */
  sweptAfter(position: Position): SweptDeposit | undefined
}

/**
 * The deposit that operation `index` of a batch must credit, given the totals before it; undefined when it must not
 * be a deposit. Called with index = operation count it tells whether one was skipped. Deposits thus stand first, in
 * the order of their sweeps, up to the cap, and every omission or invention shows at one index.
 */
export function depositDue(
  params: Params,
  facts: Facts,
  originHeight: number,
  totals: Totals,
  index: number,
): SweptDeposit | undefined {
  if (index >= params.caps.deposits) return undefined
  const next = facts.sweptAfter(totals.depositCursor)
  return next !== undefined && next.position.height <= originHeight ? next : undefined
}

/** Whether an operation fails the duty at its index. */
export function findDutyFault(
  params: Params,
  due: SweptDeposit | undefined,
  operation: Operation,
): Refusal | undefined {
  if (due === undefined) return operation.kind === 'deposit' ? 'not-due' : undefined
  if (operation.kind !== 'deposit') return 'deposit-due'
  return creditsDeposit(params, operation, due) ? undefined : 'not-due'
}
