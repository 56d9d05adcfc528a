import { Admission, Rates } from './admission.ts'
import { type Limits, MAX_VAULT_ANSWER, MAX_VAULT_REQUEST } from './limits.ts'
import { ask, type Hosting, type Peers, type Responder, roomsOf } from './request.ts'

/**
 * How watchers are asked for signatures: by each other, of the vault's next spend; by the sequencer, of the data that they
 * hold. What is said is theirs to judge.
 */

/** Gives a watcher's answer to another's request. */
export type AnswerWatcher = (request: Uint8Array) => Promise<Uint8Array>

export interface AskOptions {
  /** Ends the asking: enough has come, or it took too long. */
  readonly signal: AbortSignal
  /** Called with each answer, as it comes: whether it is what was asked for, by a watcher's key. */
  readonly take: (answer: Uint8Array) => boolean
}

export function answerWatchers(answer: AnswerWatcher, { limits, traffic, report, stopping }: Hosting): Responder {
  return {
    maxRequest: MAX_VAULT_REQUEST,
    requestMs: limits.requestMs,
    waitMs: limits.waitMs,
    admission: new Admission(new Rates(limits.requestsPerSecond, limits.requestBurst), limits.requestsPerPeer, traffic),
    rooms: roomsOf(limits, MAX_VAULT_REQUEST, MAX_VAULT_ANSWER),
    times: limits,
    stopping,
    answer: async (request) => {
      try {
        return { status: 'found', body: await answer(request) }
      } catch (cause) {
        report(new WatcherError('a request for a signature could not be answered', { cause }))
        return { status: 'failed' }
      }
    },
  }
}

/**
 * Asks every connected watcher at once. Resolves when all have answered or failed to.
 * @throws RangeError for more than `MAX_VAULT_REQUEST` bytes, or the reason of `signal` when it aborts
 */
export async function askWatchers(
  peers: Peers,
  protocol: string,
  request: Uint8Array,
  limits: Limits,
  { signal, take }: AskOptions,
): Promise<void> {
  if (request.length > MAX_VAULT_REQUEST)
    throw new RangeError(`a request of ${request.length} bytes, more than ${MAX_VAULT_REQUEST}`)
  const options = { maxBody: MAX_VAULT_ANSWER, times: limits, signal }
  const askOne = async (peer: string) => {
    const response = await ask(peers, peer, protocol, request, options)
    if (response.status === 'found' && take(response.body)) peers.noteUse(peer, 'gave')
  }
  await Promise.all(peers.speaking(protocol).map(askOne))
}

class WatcherError extends Error {
  override readonly name = 'WatcherError'
}
