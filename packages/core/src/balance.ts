import { creditedTotal, type DepositSum } from './deposit.ts'
import type { Params } from './params.ts'
import type { Totals } from './totals.ts'
import type { Vault } from './vault.ts'

/** What there is and what is owed, in millisatoshis. All is well while `assets` ≥ `liabilities`. */
export interface Balance {
  readonly assets: bigint
  readonly liabilities: bigint
}

/** What is summed up of a block and a ledger, so that the sheet costs the same whatever there has been. */
export interface BalanceSums {
  /** Satoshis in deposits that nothing has spent. */
  readonly unspent: bigint
  /** Deposits swept behind the ledger's cursor. */
  readonly uncredited: DepositSum
  /** Satoshis of those of the ledger's claims that were paid. */
  readonly paid: bigint
}

/** The sheet at one block: the ledger of any live batch, and Bitcoin as it stands there. */
export function balanceOf(
  params: Params,
  totals: Totals,
  vault: Vault,
  { unspent, uncredited, paid }: BalanceSums,
): Balance {
  return {
    assets: (vault.value + unspent) * 1000n,
    liabilities: totals.supply + creditedTotal(params, uncredited) + (unspent - paid) * 1000n,
  }
}
