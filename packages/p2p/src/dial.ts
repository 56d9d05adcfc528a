import type { Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { asError, pause, withDeadline } from './deadline.ts'

/** Waits between dials double from the first to the longest, so that a restarted peer is found within seconds. */
const FIRST_WAIT_MS = 250
const LONGEST_WAIT_MS = 2_000
const DIAL_MS = 5_000

type Dial = (address: Multiaddr, signal: AbortSignal) => Promise<Connection>

/**
 * Keeps one connection to `address` until `stopping` aborts, dialling again whenever there is none. A peer that hangs
 * up at once is waited for as one that can't be reached. `note` is told how each dial went.
 */
export async function keepConnected(
  dial: Dial,
  address: Multiaddr,
  stopping: AbortSignal,
  note: (failure: Error | undefined) => void,
): Promise<void> {
  let wait = FIRST_WAIT_MS
  while (!stopping.aborted) {
    const since = performance.now()
    const dialled = await tryDial(dial, address, stopping)
    note(dialled instanceof Error ? dialled : undefined)
    if (!(dialled instanceof Error)) await closed(dialled, stopping)
    wait = performance.now() - since > 2 * LONGEST_WAIT_MS ? FIRST_WAIT_MS : wait
    // Up to a quarter more, so that many nodes do not come back to a restarted one at the same moment.
    await pause(wait * (1 + Math.random() / 4), stopping)
    wait = Math.min(2 * wait, LONGEST_WAIT_MS)
  }
}

/** A peer that can't be reached is a value here: what counts is the next attempt. */
async function tryDial(dial: Dial, address: Multiaddr, stopping: AbortSignal): Promise<Connection | Error> {
  try {
    return await withDeadline(DIAL_MS, [stopping], (signal) => dial(address, signal))
  } catch (cause) {
    return asError(cause)
  }
}

function closed(connection: Connection, stopping: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      connection.removeEventListener('close', done)
      stopping.removeEventListener('abort', done)
      resolve()
    }
    if (connection.status !== 'open' || stopping.aborted) return done()
    connection.addEventListener('close', done)
    stopping.addEventListener('abort', done)
  })
}
