import type { Params } from '@kedge/core'
import { WalletError } from './errors.ts'

/** Blocks: for so long nobody has to look after a payment, however short a network's windows are. */
const WEEK = 1008

/**
 * The expiry that is signed unless the payer names one, from Bitcoin's height. A transfer that loses its batch must not
 * have expired when it goes into a later one. While a chain runs, there is a live batch in any E blocks, be it that
 * watchers have to replace the sequencer before; twice that, as what is live can still be found void. A distant expiry
 * costs the payer little: of all transfers that are ever signed for a cell's nonce only one can be executed, so one that
 * hangs is replaced and not waited for.
 */
export function defaultExpiry(height: number, { windows }: Pick<Params, 'windows'>): number {
  return height + Math.max(WEEK, 2 * windows.exit)
}

/** The expiry as it was asked for, or the default. @throws WalletError `bad-expiry` where Bitcoin is beyond it already */
export function chosenExpiry(asked: number | undefined, height: number, params: Pick<Params, 'windows'>): number {
  if (asked === undefined || asked >= height) return asked ?? defaultExpiry(height, params)
  throw new WalletError(`Bitcoin is at height ${height}: nothing that expires at ${asked} is executed any more.`, {
    code: 'bad-expiry',
    details: { height: String(height) },
  })
}
