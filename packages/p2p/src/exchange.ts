import { Admission, MAX_KEYS, Rates, Turns } from './admission.ts'
import { type DataRequest, decodeRequest, encodeRequest, MAX_CONTROL } from './control.ts'
import { pause } from './deadline.ts'
import type { Limits } from './limits.ts'
import { ask, type Peers, type Reply, type Responder, type Response } from './request.ts'

/**
 * Batch data between peers. Nothing a peer sends is believed here: the one who fetches judges the bytes, against a
 * hash that stands in Bitcoin.
 */

/** Bytes of what is asked for, or undefined when this node does not have it. */
export type AnswerData = (request: DataRequest) => Promise<Uint8Array | undefined>

export interface FetchOptions {
  readonly signal: AbortSignal
  /** Whether these bytes are what was asked for; `more` where others may have better ones. A peer whose bytes are not is left out for a while. */
  readonly accept: (bytes: Uint8Array) => boolean | 'more'
}

/** Times that busy peers are asked again, and the first of the doubling waits between, ms. */
const BUSY_ROUNDS = 4
const BUSY_WAIT_MS = 200

export function answerRequests(
  answer: AnswerData,
  limits: Limits,
  report: (error: Error) => void,
  stopping: AbortSignal,
): Responder {
  return {
    maxRequest: MAX_CONTROL,
    admission: new Admission(new Rates(limits.requestsPerSecond, limits.requestBurst), limits),
    times: limits,
    stopping,
    answer: async (bytes) => {
      const request = decodeRequest(bytes)
      if (!request.ok) return { status: 'malformed', reason: request.reason }
      try {
        return toReply(await answer(request.value), limits.maxDataResponse)
      } catch (cause) {
        report(new ExchangeError(`no answer to a request for ${request.value.kind}`, { cause }))
        return { status: 'failed' }
      }
    },
  }
}

/** Fetches data of peers, and remembers for a while which of them were of no use. */
export class Fetcher {
  private readonly peers: Peers
  private readonly protocol: string
  private readonly limits: Limits
  private readonly turns: Turns
  /** Peer to the time (ms, of `performance.now`) until which it is left out, or asked last. */
  private readonly wrong = new Map<string, number>()
  private readonly slow = new Map<string, number>()
  private fetches = 0

  constructor(peers: Peers, protocol: string, limits: Limits) {
    this.peers = peers
    this.protocol = protocol
    this.limits = limits
    this.turns = new Turns(limits.fetchesInAll)
  }

  /**
   * Asks connected peers, one after another, until one sends bytes that `accept` takes.
   * @returns undefined when no connected peer has them.
   * @throws the signal's reason when it aborts.
   */
  fetch(request: DataRequest, options: FetchOptions): Promise<Uint8Array | undefined> {
    return this.turns.run(options.signal, async () => {
      for (let round = 0; round < BUSY_ROUNDS; round++) {
        if (round > 0) await pause(BUSY_WAIT_MS * 2 ** (round - 1), options.signal)
        const outcome = await this.askAll(encodeRequest(request), options)
        if (outcome !== 'busy') return outcome
      }
      return undefined
    })
  }

  private async askAll(
    request: Uint8Array,
    { signal, accept }: FetchOptions,
  ): Promise<Uint8Array | 'busy' | undefined> {
    let busy = false
    const options = { maxBody: this.limits.maxDataResponse, times: this.limits, signal }
    for (const peer of this.candidates(performance.now())) {
      const response = await ask(this.peers, peer, this.protocol, request, options)
      const accepted = response.status === 'found' && accept(response.body)
      if (accepted !== false) this.peers.noteUse(peer, 'gave')
      if (accepted === 'more') continue
      if (accepted && response.status === 'found') return response.body
      if (response.status === 'busy') busy = true
      else this.note(peer, response)
    }
    return busy ? 'busy' : undefined
  }

  private note(peer: string, response: Response): void {
    const isWrong = response.status === 'found' || response.status === 'malformed'
    if (isWrong) remember(this.wrong, peer, performance.now() + this.limits.grudgeMs)
    if (response.status === 'silent') remember(this.slow, peer, performance.now() + this.limits.slowMs)
  }

  /** Begins with another peer each time, so that load is shared; those that gave no answer lately come last. */
  private candidates(now: number): string[] {
    const peers = this.peers.speaking(this.protocol).filter((peer) => (this.wrong.get(peer) ?? 0) <= now)
    const start = this.fetches++ % Math.max(1, peers.length)
    const turned = [...peers.slice(start), ...peers.slice(0, start)]
    const isSlow = (peer: string) => (this.slow.get(peer) ?? 0) > now
    return [...turned.filter((peer) => !isSlow(peer)), ...turned.filter(isSlow)]
  }
}

function toReply(body: Uint8Array | undefined, limit: number): Reply {
  if (body === undefined) return { status: 'unknown' }
  if (body.length > limit) throw new RangeError(`${body.length} bytes, more than the limit of ${limit}`)
  return { status: 'found', body }
}

function remember(times: Map<string, number>, peer: string, until: number): void {
  times.delete(peer)
  times.set(peer, until)
  const oldest = times.keys().next()
  if (times.size > MAX_KEYS && oldest.done !== true) times.delete(oldest.value)
}

export class ExchangeError extends Error {
  override readonly name = 'ExchangeError'
}
