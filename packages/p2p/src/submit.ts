import { Admission, Rates } from './admission.ts'
import { pause } from './deadline.ts'
import { type Limits, MAX_SUBMISSION, MAX_SUBMISSION_RESPONSE } from './limits.ts'
import { ask, type Hosting, type Peers, type Responder, type Response, roomsOf } from './request.ts'

/** How a node without a sequencer hands transfers to one that has. */

/** Takes concatenated transfers from a peer and gives the response's bytes. `signal` aborts when nobody waits any more. */
export type TakeTransfers = (transfers: Uint8Array, signal: AbortSignal, peer: string) => Promise<Uint8Array>

/** With all turns refused, these waits leave a node below the refusals that get a peer cut off. */
const BUSY_ROUNDS = 4
const BUSY_WAIT_MS = 400

export function answerSubmissions(take: TakeTransfers, { limits, traffic, report, stopping }: Hosting): Responder {
  return {
    maxRequest: MAX_SUBMISSION,
    requestMs: limits.longRequestMs,
    waitMs: limits.waitMs,
    admission: new Admission(
      new Rates(limits.submissionsPerSecond, limits.submissionBurst),
      limits.requestsPerPeer,
      traffic,
    ),
    rooms: roomsOf(limits, MAX_SUBMISSION, MAX_SUBMISSION_RESPONSE),
    times: limits,
    stopping,
    answer: async (transfers, signal, peer) => {
      try {
        const body = await take(transfers, signal, peer)
        if (body.length > MAX_SUBMISSION_RESPONSE) throw new RangeError(`a response of ${body.length} bytes`)
        return { status: 'found', body }
      } catch (cause) {
        report(new SubmitError('the sequencer could not take transfers', { cause }))
        return { status: 'failed' }
      }
    },
  }
}

/**
 * Sends `transfers` to a connected sequencer and returns its response. With several sequencers, the next is asked when
 * one fails: a transfer's nonce keeps it from being carried out twice.
 * @throws NoSequencerError when no connected peer offers the protocol, SubmitError when those that do gave no answer,
 *   RangeError for more than `MAX_SUBMISSION` bytes, or the signal's reason.
 */
export async function submit(
  peers: Peers,
  protocol: string,
  transfers: Uint8Array,
  limits: Limits,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (transfers.length > MAX_SUBMISSION) {
    throw new RangeError(`${transfers.length} bytes of transfers, more than ${MAX_SUBMISSION}`)
  }
  const options = { maxBody: MAX_SUBMISSION_RESPONSE, times: limits, signal }
  for (let round = 1; ; round++) {
    signal.throwIfAborted()
    const asked = await askSequencers(peers.speaking(protocol), (peer) =>
      ask(peers, peer, protocol, transfers, options),
    )
    if (asked.body !== undefined) return asked.body
    if (asked.failure === undefined) throw new NoSequencerError()
    if (!asked.busy || round === BUSY_ROUNDS)
      throw new SubmitError(`no connected sequencer took the transfers (${asked.failure})`)
    await pause(BUSY_WAIT_MS * 2 ** (round - 1) * (1 + Math.random() / 4), signal)
  }
}

interface Asked {
  readonly body?: Uint8Array
  readonly busy: boolean
  /** What the last sequencer did instead of responding; undefined when no peer is one. */
  readonly failure?: string
}

async function askSequencers(peers: readonly string[], askOne: (peer: string) => Promise<Response>): Promise<Asked> {
  let busy = false
  let failure: string | undefined
  for (const peer of peers) {
    const response = await askOne(peer)
    if (response.status === 'found') return { body: response.body, busy }
    if (response.status === 'unsupported') continue
    busy ||= response.status === 'busy'
    failure = `${peer}: ${'reason' in response ? response.reason : response.status}`
  }
  return failure === undefined ? { busy } : { busy, failure }
}

/** No connected peer offers to take transfers. Nothing was sent. */
export class NoSequencerError extends Error {
  override readonly name = 'NoSequencerError'
  constructor() {
    super('no sequencer is connected')
  }
}

/** The transfers may or may not have been taken: the same ones can be submitted again. */
export class SubmitError extends Error {
  override readonly name = 'SubmitError'
}
