import { dataCarrierScript, type Params, SIGNAL_VALUE, signalScript } from '@kedge/core'
import { type Built, buildFunded, type Funding } from './transaction.ts'

/**
 * Raises a challenge. The tag burns the network's challenge payment, so send it with that much as `burn`.
 * @param payload of a challenge message
 * @throws InsufficientFundsError
 */
export function buildChallenge(params: Params, payload: Uint8Array, funding: Funding): Built {
  const tag = { script: dataCarrierScript(payload), value: params.fees.challenge }
  const signal = { script: signalScript(params), value: SIGNAL_VALUE }
  return buildFunded([], [tag, signal], funding)
}
