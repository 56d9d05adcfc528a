import { readWalletFile } from './file.ts'
import { holdLock, oneByOne } from './lock.ts'

/** Ids of what the wallet had signed before the turn was waited for: what is not among them was signed meanwhile. */
export type Seen = ReadonlySet<string>

/** A command waits for the node some ten seconds at most, a few times. */
const TURN_WAIT_MS = 60_000

/**
 * Runs work for one wallet file after what was asked before it has ended, however that ended; in other processes too, as
 * each takes its nonces from what is in the file. A turn may last long, and who only looks, and records what it sees, does
 * not wait for it: single changes have a lock of their own (`file.ts`).
 * @throws WalletError `wallet-busy`
 */
export function inTurn<T>(path: string, work: (seen: Seen) => Promise<T>): Promise<T> {
  const turn = `${path}.turn`
  return oneByOne(turn, async () => {
    const seen = new Set((await readWalletFile(path)).sends.map(({ id }) => id))
    return holdLock(turn, TURN_WAIT_MS, () => work(seen))
  })
}
