import { Admission, MAX_KEYS, Rates, Turns } from './admission.ts'
import { type DataRequest, decodeRequest, encodeRequest, MAX_CONTROL } from './control.ts'
import { asError, DeadlineError, pause, withDeadline, withSignals } from './deadline.ts'
import type { Limits } from './limits.ts'
import { ask, type Hosting, type Peers, type Reply, type Responder, type Response, roomsOf } from './request.ts'

/**
 * Batch data between peers. Nothing a peer sends is believed here: the one who fetches judges the bytes, against a
 * hash that stands in Bitcoin.
 */

/** Bytes of what is asked for, or undefined when this node does not have it. */
export type AnswerData = (request: DataRequest) => Promise<Uint8Array | undefined>

export interface FetchOptions {
  readonly signal: AbortSignal
  /** Whether these bytes are what was asked for. A peer whose bytes are not is left out for a while. */
  readonly accept: (bytes: Uint8Array) => boolean
}

/** For so long busy peers are asked again and again, and the first and longest of the waits between, ms. */
const BUSY_MS = 10_000
const BUSY_WAIT_MS = 200
const LONGEST_WAIT_MS = 2_000

/**
 * While less comes than this within this time, the next peer is asked beside those that were asked before: who lets a
 * node wait must not keep it from others.
 */
const NEXT_MS = 1_000
const NEXT_BYTES = 64 * 1024

export function answerRequests(answer: AnswerData, { limits, traffic, report, stopping }: Hosting): Responder {
  return {
    maxRequest: MAX_CONTROL,
    requestMs: limits.requestMs,
    waitMs: limits.waitMs,
    admission: new Admission(new Rates(limits.requestsPerSecond, limits.requestBurst), limits.requestsPerPeer, traffic),
    rooms: roomsOf(limits, MAX_CONTROL, limits.maxDataResponse),
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
   * Asks connected peers, the most useful first and the next while no more comes of those before, until one sends bytes
   * that `accept` takes. Peers that are busy are asked again for a while.
   * @returns undefined when no connected peer has them, or has sent them within the time of a fetch.
   * @throws the signal's reason when it aborts.
   */
  fetch(request: DataRequest, options: FetchOptions): Promise<Uint8Array | undefined> {
    const { signal, accept } = options
    return this.turns.run(signal, async () => {
      try {
        return await withDeadline(this.limits.fetchMs, [signal], (either) =>
          this.askUntilAnswered(request, { signal: either, accept }),
        )
      } catch (cause) {
        signal.throwIfAborted()
        if (cause instanceof DeadlineError) return undefined
        throw cause
      }
    })
  }

  private async askUntilAnswered(request: DataRequest, options: FetchOptions): Promise<Uint8Array | undefined> {
    const start = performance.now()
    for (let wait = BUSY_WAIT_MS; ; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
      const outcome = await this.askAll(request, options)
      if (outcome !== 'busy') return outcome
      if (performance.now() - start > BUSY_MS) return undefined
      // Not all who were told so at the same moment come back at the same moment.
      await pause(wait * (0.5 + Math.random() / 2), options.signal)
      options.signal.throwIfAborted()
    }
  }

  private askAll(asked: DataRequest, { signal, accept }: FetchOptions): Promise<Uint8Array | 'busy' | undefined> {
    const request = encodeRequest(asked)
    return withSignals([signal], async (either, end) => {
      const round = new Round(this.fetches++)
      for (let peer = this.nextPeer(round); peer !== undefined; peer = this.nextPeer(round)) {
        round.begin(peer, this.askOne(peer, request, { signal: either, accept, round }))
        await round.next(either)
        if (round.found !== undefined || round.failure !== undefined) break
      }
      await round.end()
      // Before anything is thrown as well: nobody waits for those that have not answered.
      end(new OutrunError())
      signal.throwIfAborted()
      if (round.failure !== undefined) throw round.failure
      for (const peer of round.under) remember(this.slow, peer, performance.now() + this.limits.slowMs)
      return round.found ?? (round.isBusy ? 'busy' : undefined)
    })
  }

  private async askOne(
    peer: string,
    request: Uint8Array,
    { signal, accept, round }: FetchOptions & { readonly round: Round },
  ): Promise<void> {
    const { moved } = round
    const options = { maxBody: this.limits.maxDataResponse, times: this.limits, signal, moved }
    const response = await ask(this.peers, peer, this.protocol, request, options)
    const accepted = response.status === 'found' && accept(response.body)
    if (accepted) this.peers.noteUse(peer, 'gave')
    if (accepted && response.status === 'found') round.found ??= response.body
    else this.note(peer, response)
    // Where many want something, a peer may have had to cut its answer short.
    if (response.status === 'busy' || response.status === 'silent') round.isBusy = true
  }

  private note(peer: string, response: Response): void {
    const isWrong = response.status === 'found' || response.status === 'malformed'
    if (isWrong) remember(this.wrong, peer, performance.now() + this.limits.grudgeMs)
    if (response.status === 'silent') remember(this.slow, peer, performance.now() + this.limits.slowMs)
  }

  /**
   * Of a higher rank first. Each round begins with another peer, so that load is shared; those that gave no answer lately
   * come last.
   */
  private nextPeer(round: Round): string | undefined {
    const now = performance.now()
    const peers = this.peers.speaking(this.protocol).filter((peer) => (this.wrong.get(peer) ?? 0) <= now)
    const start = round.number % Math.max(1, peers.length)
    const turned = [...peers.slice(start), ...peers.slice(0, start)].filter((peer) => !round.hasBegun(peer))
    const placed = turned.map((peer) => {
      const isSlow = (this.slow.get(peer) ?? 0) > now
      return { peer, place: this.peers.rankOf(peer) - (isSlow ? 0.5 : 0) }
    })
    return placed.sort((a, b) => b.place - a.place)[0]?.peer
  }
}

/** One request that goes to one peer after another. */
class Round {
  found: Uint8Array | undefined
  isBusy = false
  /** Of `accept`, or because the asking was ended. */
  failure: Error | undefined
  readonly number: number
  private readonly begun = new Set<string>()
  private readonly asked = new Map<string, Promise<void>>()
  private bytes = 0

  constructor(number: number) {
    this.number = number
  }

  readonly moved = (bytes: number): void => {
    this.bytes += bytes
  }

  /** Peers that have not answered. */
  get under(): string[] {
    return [...this.asked.keys()]
  }

  hasBegun(peer: string): boolean {
    return this.begun.has(peer)
  }

  begin(peer: string, asking: Promise<void>): void {
    this.begun.add(peer)
    const settled = asking.catch((cause) => {
      this.failure ??= asError(cause)
    })
    this.asked.set(
      peer,
      settled.finally(() => this.asked.delete(peer)),
    )
  }

  /** Until it is the next peer's turn: one has answered, or too little comes. */
  async next(signal: AbortSignal): Promise<void> {
    for (let before = -NEXT_BYTES; this.asked.size > 0 && this.bytes - before >= NEXT_BYTES; ) {
      before = this.bytes
      const isAnswered = await this.anyWithin(NEXT_MS, signal)
      if (isAnswered) return
    }
  }

  /** Until one has sent what was asked for, or all have answered. */
  async end(): Promise<void> {
    while (this.found === undefined && this.failure === undefined && this.asked.size > 0)
      await Promise.race(this.asked.values())
  }

  private anyWithin(ms: number, signal: AbortSignal): Promise<boolean> {
    return withSignals([signal], async (either, end) => {
      const answered = Promise.race(this.asked.values()).then(() => true)
      const outcome = await Promise.race([answered, pause(ms, either).then(() => false)])
      end(new OutrunError())
      return outcome
    })
  }
}

class OutrunError extends Error {
  override readonly name = 'OutrunError'
  constructor() {
    super('no answer is waited for any more')
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
