import { type Deposit, depositOutput, outpointOf, type Params, type PlannedInput, type VaultPlan } from '@kedge/core'
import {
  type Built,
  build,
  buildFunded,
  type Funding,
  REPLACEABLE,
  type Spend,
  type ToSign,
  toSign,
} from './transaction.ts'
import { signedWitness, watchersWitness } from './watchers.ts'

/**
 * The vault's next spend, signed: nothing of it is decided here.
 * @param secrets those of `threshold` watchers or more
 * @throws RangeError when they are fewer
 */
export function buildVaultSpend(params: Params, plan: VaultPlan, secrets: readonly Uint8Array[]): Built {
  const spends = spendsOf(plan, ({ by }) => watchersWitness(params, secrets, by))
  return build(spends, plan.outputs, plan.version)
}

/** What each watcher signs of it. */
export function vaultToSign(plan: VaultPlan): ToSign {
  return toSign(
    spendsOf(plan, () => () => []),
    plan.outputs,
    plan.version,
  )
}

/**
 * The same, of signatures that the watchers gave.
 * @param signatures by the watchers' places among the keys, one for each input
 * @throws RangeError when they are fewer than `threshold`
 */
export function joinVaultSpend(
  params: Params,
  plan: VaultPlan,
  signatures: ReadonlyMap<number, readonly Uint8Array[]>,
): Built {
  const spends = spendsOf(plan, ({ by }, input) => {
    const own = new Map([...signatures].map(([place, all]) => [place, all[input] as Uint8Array]))
    return () => signedWitness(params, own, by)
  })
  return build(spends, plan.outputs, plan.version)
}

function spendsOf({ inputs }: VaultPlan, witnessOf: (input: PlannedInput, at: number) => Spend['witness']): Spend[] {
  return inputs.map((input, at) => {
    const { previous, value, by } = input
    const witness = witnessOf(input, at)
    return { outpoint: previous, value, script: by.script, sequence: REPLACEABLE, leaf: by.leaf, witness }
  })
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
