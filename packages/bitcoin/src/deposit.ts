import { type DepositTag, dataCarrierScript, depositOutput, encodeMessage, type Params } from '@kedge/core'
import { type Built, buildFunded, type Funding } from './transaction.ts'

/**
 * Pays to the script that the watchers sweep from into the vault, or the depositor takes back after R blocks. The
 * deposit is output 1.
 * @param amount satoshis; below the network's minimum it is no deposit, and lost
 * @throws InsufficientFundsError
 */
export function buildDeposit(params: Params, owner: Omit<DepositTag, 'kind'>, amount: bigint, funding: Funding): Built {
  if (amount < params.fees.minDeposit)
    throw new RangeError(`a deposit of ${amount} sat, below the minimum of ${params.fees.minDeposit}`)
  const { key, refundKey } = owner
  const tag = { script: dataCarrierScript(encodeMessage({ kind: 'deposit', key, refundKey })), value: 0n }
  return buildFunded([], [tag, { script: depositOutput(params, key, refundKey).script, value: amount }], funding)
}
