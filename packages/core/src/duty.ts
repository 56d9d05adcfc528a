import { creditsDeposit, type Deposit, type SweptDeposit } from './deposit.ts'
import { carry, type Forced, type ForcedEntry, isSameForced } from './forced.ts'
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
  /** The first operation that was forced behind a position. */
  forcedAfter(position: Position): ForcedEntry | undefined
  /** The number of the final batch with this header. */
  finalNumber(headerHash: Uint8Array): number | undefined
}

/** What must stand at a place in a batch. */
export type Due =
  | { readonly kind: 'deposit'; readonly swept: SweptDeposit }
  | { readonly kind: 'forced'; readonly operation: Forced }

/** How much a batch must take, and from how far below its origin forced operations. */
export interface DutyLimits {
  readonly deposits: number
  readonly forced: number
  readonly forcedDepth: number
}

export function batchLimits({ caps, windows }: Params): DutyLimits {
  return { deposits: caps.deposits, forced: caps.forced, forcedDepth: windows.forced }
}

/**
 * What operation `index` of a batch must be, given the totals before it; undefined when it must be neither deposit nor
 * forced. Called with index = operation count it tells whether one was skipped. Deposits thus stand first, in the order
 * of their sweeps, up to their cap; then what is forced, in Bitcoin's order, up to both caps; and every omission or
 * invention shows at one index.
 */
export function findDue(
  limits: DutyLimits,
  facts: Facts,
  originHeight: number,
  totals: Totals,
  index: number,
): Due | undefined {
  if (index >= limits.deposits + limits.forced) return undefined
  const swept = index < limits.deposits ? facts.sweptAfter(totals.depositCursor) : undefined
  if (swept !== undefined && swept.position.height <= originHeight) return { kind: 'deposit', swept }
  const entry = facts.forcedAfter(totals.forcedCursor)
  if (entry !== undefined && entry.position.height + limits.forcedDepth <= originHeight)
    return { kind: 'forced', operation: carry(entry, totals.count) }
  return undefined
}

export type SkippedDue = 'deposit-due' | 'forced-due'

export function skippedDue(due: Due): SkippedDue {
  return due.kind === 'deposit' ? 'deposit-due' : 'forced-due'
}

/** Whether an operation fails the duty at its index. */
export function findDutyFault(params: Params, due: Due | undefined, operation: Operation): Refusal | undefined {
  if (due === undefined) return operation.kind === 'deposit' || operation.kind === 'forced' ? 'not-due' : undefined
  if (due.kind === 'deposit') {
    if (operation.kind !== 'deposit') return skippedDue(due)
    return creditsDeposit(params, operation, due.swept) ? undefined : 'not-due'
  }
  if (operation.kind !== 'forced') return operation.kind === 'deposit' ? 'not-due' : skippedDue(due)
  return isSameForced(operation, due.operation) ? undefined : 'not-due'
}
