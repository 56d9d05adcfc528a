import type { Claim } from './claim.ts'
import { creditedAmount, type Deposit, type SweptDeposit } from './deposit.ts'
import type { Params } from './params.ts'
import type { Totals } from './totals.ts'
import { isPaid, type Vault } from './vault.ts'

/** What there is and what is owed, in millisatoshis. All is well while `assets` ≥ `liabilities`. */
export interface Balance {
  readonly assets: bigint
  readonly liabilities: bigint
}

/**
 * The sheet at one block: the ledger of any live batch, and Bitcoin as it stands there.
 * @param unspent deposits that nothing has spent
 * @param uncredited deposits swept behind the ledger's cursor
 * @param claims of the ledger's withdrawals
 */
export function balanceOf(
  params: Params,
  totals: Totals,
  vault: Vault,
  unspent: readonly Deposit[],
  uncredited: readonly SweptDeposit[],
  claims: readonly Claim[],
): Balance {
  const waiting = sum(unspent.map(({ value }) => value * 1000n))
  const paid = claims.filter(({ number }) => isPaid(vault.paid, number))
  return {
    assets: vault.value * 1000n + waiting,
    liabilities:
      totals.supply -
      sum(paid.map(({ amount }) => amount * 1000n)) +
      sum(uncredited.map(({ deposit }) => creditedAmount(params, deposit))) +
      waiting,
  }
}

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((total, amount) => total + amount, 0n)
}
