import { type Balance, type BalanceSums, balanceOf, type Params, paidEnd } from '@kedge/core'
import type { Executor } from './execute.ts'
import type { Follower } from './follow.ts'

/**
 * What there is and what is owed, as this node has derived both. Undefined while it lacks batches whose claims were paid
 * already: then it knows less of what was owed than of what is gone.
 */
export function solvencyOf(params: Params, follower: Follower, executor: Executor): Balance | undefined {
  const { vault } = follower.chain
  if (paidEnd(vault.paid) > executor.claims.count) return undefined
  return balanceOf(params, executor.ledger.totals, vault, sumsOf(follower, executor))
}

/** Of the claims of the batches that the ledger has sealed. */
export function sumsOf({ chain, facts }: Follower, { ledger, claims }: Executor): BalanceSums {
  return {
    unspent: facts.unspentValue,
    uncredited: facts.sumSweptAfter(ledger.totals.depositCursor),
    paid: claims.sum(chain.vault.paid).paid,
  }
}
