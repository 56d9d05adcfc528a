import type { Params } from '@kedge/core'

/** Blocks: for so long a sequencer may be down without harm, however short a network's windows are. */
const WEEK = 1008

/**
 * The expiry that is signed unless the payer names one, from Bitcoin's height. A transfer that loses its batch must not
 * have expired when it goes into a later one. The most that an honest network takes for that: X blocks until watchers
 * replace a sequencer that is gone, S until its batch is anchored, D until that is found void. Twice, as the next batch
 * may fare no better. A distant expiry costs the payer little: of all transfers that are ever signed for a cell's nonce
 * only one can be executed, so one that hangs is replaced and not waited for.
 */
export function defaultExpiry(height: number, { windows }: Pick<Params, 'windows'>): number {
  return height + Math.max(WEEK, 2 * (windows.takeover + windows.staleness + windows.dispute))
}
