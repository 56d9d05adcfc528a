import { type Deposit, depositOutput, outpointOf, type Params, type VaultPlan } from '@kedge/core'
import { type Built, build, buildFunded, type Funding, REPLACEABLE, type Spend } from './transaction.ts'
import { watchersWitness } from './watchers.ts'

/**
 * The vault's next spend, signed: nothing of it is decided here.
 * @param secrets those of `threshold` watchers or more
 * @throws RangeError when they are fewer
 */
export function buildVaultSpend(params: Params, plan: VaultPlan, secrets: readonly Uint8Array[]): Built {
  const spends = plan.inputs.map(({ previous, value, by }): Spend => {
    const witness = watchersWitness(params, secrets, by)
    return { outpoint: previous, value, script: by.script, sequence: REPLACEABLE, leaf: by.leaf, witness }
  })
  return build(spends, plan.outputs)
}

/**
 * Takes back a deposit that nobody swept, to the funding's key; Bitcoin takes it R blocks after the deposit.
 * @param secret of the refund key
 * @throws InsufficientFundsError
 */
export function buildRefund(params: Params, deposit: Deposit, secret: Uint8Array, funding: Funding): Built {
  const { script, refund } = depositOutput(params, deposit.key, deposit.refundKey)
  const witness: Spend['witness'] = (sign) => [sign(secret), refund.leaf, refund.control]
  const { value } = deposit
  const sequence = params.windows.refund
  return buildFunded(
    [{ outpoint: outpointOf(deposit), value, script, sequence, leaf: refund.leaf, witness }],
    [],
    funding,
  )
}
