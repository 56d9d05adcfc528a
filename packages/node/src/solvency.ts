import { type Balance, balanceOf, type Params } from '@kedge/core'
import type { Executor } from './execute.ts'
import type { Follower } from './follow.ts'

/**
 * What there is and what is owed, as this node has derived both. Undefined while it lacks batches whose claims were paid
 * already: then it knows less of what was owed than of what is gone.
 */
export function solvencyOf(
  params: Params,
  { chain, facts }: Follower,
  { ledger, claims }: Executor,
): Balance | undefined {
  const { below, more } = chain.vault.paid
  if (Math.max(below, 1 + (more.at(-1) ?? -1)) > claims.count) return undefined
  const uncredited = facts.allSweptAfter(ledger.totals.depositCursor)
  return balanceOf(params, ledger.totals, chain.vault, facts.unspentDeposits(), uncredited, claims.all)
}
