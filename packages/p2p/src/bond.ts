import { Admission, Rates } from './admission.ts'
import { type Limits, MAX_BOND_MESSAGE } from './limits.ts'
import { ask, type Hosting, type Peers, type Responder, roomsOf } from './request.ts'

/** What concerns the sequencer's bond, from whoever asks to the watchers. Who speaks stands in the messages themselves. */

/** Answers a message, or gives undefined where there is nothing to say to it. `signal` aborts when nobody waits any more. */
export type AnswerBond = (message: Uint8Array, signal: AbortSignal) => Promise<Uint8Array | undefined>

export function answerBondMessages(answer: AnswerBond, { limits, traffic, report, stopping }: Hosting): Responder {
  return {
    maxRequest: MAX_BOND_MESSAGE,
    requestMs: limits.longRequestMs,
    waitMs: limits.waitMs,
    admission: new Admission(
      new Rates(limits.bondMessagesPerSecond, limits.bondMessageBurst),
      limits.requestsPerPeer,
      traffic,
    ),
    rooms: roomsOf(limits, MAX_BOND_MESSAGE, MAX_BOND_MESSAGE),
    times: limits,
    stopping,
    answer: async (message, signal) => {
      try {
        const body = await answer(message, signal)
        return body === undefined ? { status: 'unknown' } : { status: 'found', body }
      } catch (cause) {
        report(new BondAnswerError({ cause }))
        return { status: 'failed' }
      }
    },
  }
}

/** A watcher answers at once. Who asks waits for the slowest peer, and may be one that has more to do. */
const RESPONSE_MS = 5_000

/**
 * Sends `message` to every connected peer that speaks of bonds, to all at once.
 * @returns the answers of those that gave one; what the others did instead only delays whoever asks
 * @throws RangeError for more than `MAX_BOND_MESSAGE` bytes, or the signal's reason
 */
export async function askBond(
  peers: Peers,
  protocol: string,
  message: Uint8Array,
  limits: Limits,
  signal: AbortSignal,
): Promise<Uint8Array[]> {
  if (message.length > MAX_BOND_MESSAGE) throw new RangeError(`${message.length} bytes, more than ${MAX_BOND_MESSAGE}`)
  const options = { maxBody: MAX_BOND_MESSAGE, times: { ...limits, responseMs: RESPONSE_MS }, signal }
  const responses = await Promise.all(
    peers.speaking(protocol).map((peer) => ask(peers, peer, protocol, message, options)),
  )
  return responses.flatMap((response) => (response.status === 'found' ? [response.body] : []))
}

class BondAnswerError extends Error {
  override readonly name = 'BondAnswerError'
  constructor(options: ErrorOptions) {
    super('a message about the bond could not be answered', options)
  }
}
