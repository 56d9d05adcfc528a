import type { L1Transaction } from '../src/l1.ts'
import { planPayout, planSweep, type VaultPlan } from '../src/payout.ts'
import { spend, transaction } from './bitcoin.ts'
import type { Rollup } from './rollup.ts'
import { params } from './world.ts'

/** What honest watchers sign next, given what stands in Bitcoin: one of the two, for both spend the head. */
export function nextSweep({ chain, facts }: Rollup, feeRate = 1_000n): L1Transaction | undefined {
  return signed(planSweep(params, chain.vault, facts.unspentDeposits(), chain.height + 1, feeRate))
}

export function nextPayout({ chain, claims }: Rollup, feeRate = 1_000n): L1Transaction | undefined {
  const payable = claims.filter(({ payableAt }) => payableAt <= chain.height).map(({ claim }) => claim)
  return signed(planPayout(params, chain.vault, payable, chain.final.headerHash, feeRate))
}

function signed(plan: VaultPlan | undefined): L1Transaction | undefined {
  return (
    plan &&
    transaction(
      plan.inputs.map(({ previous }) => spend(previous)),
      plan.outputs,
    )
  )
}
