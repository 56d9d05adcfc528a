import type { Params } from './params.ts'
import type { Withdrawal } from './withdrawal.ts'

/** What the vault owes for one withdrawal. */
export interface Claim {
  /** Withdrawals before it, counted in the totals: how payouts name it. */
  readonly number: number
  readonly script: Uint8Array
  /** Satoshis that leave the vault for it. */
  readonly amount: bigint
  /** Satoshis of them that may go to the payout's fee. */
  readonly payoutFee: bigint
}

export function claimOf(number: number, { script, amount, payoutFee }: Withdrawal): Claim {
  return { number, script, amount, payoutFee }
}

/**
 * The height from which on the vault pays a claim of a batch that is final at `finalAt`, or of an exit's step there: so
 * deep that it stays.
 */
export function payableAt({ windows }: Params, finalAt: number): number {
  return finalAt + windows.originDepth
}
