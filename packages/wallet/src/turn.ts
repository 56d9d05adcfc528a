import { isTold } from './evidence.ts'
import { readWalletFile } from './file.ts'
import { holdLock, oneByOne } from './lock.ts'

/** Ids of what the wallet had signed, and its payer been told of, at one moment: another process may have told somebody since. */
export type Told = ReadonlySet<string>

/** A command waits for the node some ten seconds at most, a few times. */
const TURN_WAIT_MS = 60_000

/**
 * Runs work for one wallet file after what was asked before it has ended, however that ended; in other processes too, as
 * each takes its nonces from what is in the file. A turn may last long, and who only looks, and records what it sees, does
 * not wait for it: single changes have a lock of their own (`file.ts`).
 * @throws WalletError `wallet-busy`
 */
export function inTurn<T>(path: string, work: (told: Told) => Promise<T>): Promise<T> {
  const turn = `${path}.turn`
  return oneByOne(turn, async () => {
    const told = await readTold(path)
    return holdLock(turn, TURN_WAIT_MS, () => work(told))
  })
}

/** For who looks before a turn, and asks for something in it. */
export async function readTold(path: string): Promise<Told> {
  return new Set((await readWalletFile(path)).sends.filter(isTold).map(({ id }) => id))
}
