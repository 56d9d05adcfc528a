import { dataCarrierScript, type Params, vaultScript } from '@kedge/core'
import { type Built, buildFunded, type Funding } from './transaction.ts'

/**
 * Pays into the vault.
 * @param payload of a deposit message
 * @param amount satoshis; below the network's minimum it is no deposit, and lost
 * @throws InsufficientFundsError
 */
export function buildDeposit(params: Params, payload: Uint8Array, amount: bigint, funding: Funding): Built {
  if (amount < params.fees.minDeposit)
    throw new RangeError(`a deposit of ${amount} sat, below the minimum of ${params.fees.minDeposit}`)
  const tag = { script: dataCarrierScript(payload), value: 0n }
  return buildFunded([], [tag, { script: vaultScript(params), value: amount }], funding)
}
