import type { Stream } from '@libp2p/interface'
import { Admission, Rates, type Traffic } from './admission.ts'
import { asError } from './deadline.ts'
import { type Limits, MAX_TICK } from './limits.ts'
import { ask, type Hosting, type Peers, type Responder, type Response, roomsOf } from './request.ts'
import { TickFrames } from './tick-frames.ts'

/**
 * What a sequencer has promised, told to peers as it is signed: one stream to each, on which every tick is a u16 length
 * (little-endian) and its bytes. And what they answer when it asks for the newest one after a start.
 */

/** Judges the ticks of one stream. */
export interface TickListener {
  /** False where no honest peer sends this: it is cut off. Synchronous and cheap. */
  take(tick: Uint8Array): boolean
  /** Nothing more comes. */
  end(): void
}

/** What a node knows of ticks. */
export interface TickKeeper {
  listen(): TickListener
  /** The newest one, of whatever batch. */
  newest(): Uint8Array | undefined
}

/** A peer needs one; for a moment it has two when it comes back. */
const STREAMS_PER_PEER = 2
/** Ticks a second from a peer: each is a write to disk there. More cuts it off for a minute. */
const FLOOD_RATE = { perSecond: 1024, burst: 8192 }

interface ListenOptions {
  readonly keeper: TickKeeper
  readonly traffic: Traffic
  readonly cutOff: (peer: string) => void
  /** Told of what the keeper throws. */
  readonly report: (error: Error) => void
  readonly stopping: AbortSignal
}

type Teller = Parameters<Admission['enter']>[0]

/** Takes streams of ticks. A stream costs as much of a peer's share as a request does. */
export function listenForTicks({ keeper, traffic, cutOff, report, stopping }: ListenOptions) {
  const admission = new Admission(new Rates(1, 8), STREAMS_PER_PEER, traffic)
  const floods = new Rates(FLOOD_RATE.perSecond, FLOOD_RATE.burst)
  return (stream: Stream, teller: Teller): void => {
    // What is over already tells no more of its end.
    if (stream.status !== 'open') return
    if (stopping.aborted || !admission.enter(teller, performance.now())) {
      stream.abort(new TicksError('too many streams of ticks'))
      return
    }
    const { peer } = teller
    const listener = keeper.listen()
    const frames = new TickFrames((tick) => floods.take(peer, performance.now()) && listener.take(tick))
    const stop = () => stream.abort(asError(stopping.reason))
    const isFine = (piece: Uint8Array): boolean => {
      try {
        return frames.read(piece)
      } catch (cause) {
        report(new TicksError('a tick could not be taken', { cause }))
        return true
      }
    }
    stream.addEventListener('message', ({ data }) => {
      if (stream.status !== 'open' || isFine(data instanceof Uint8Array ? data : data.subarray())) return
      stream.abort(new TicksError('no tick'))
      cutOff(peer)
    })
    stream.addEventListener('remoteCloseWrite', () => stream.abort(new TicksError('the other side ended it')))
    stream.addEventListener('close', () => {
      stopping.removeEventListener('abort', stop)
      admission.leave(peer)
      listener.end()
    })
    stopping.addEventListener('abort', stop)
  }
}

export function answerNewestTick(keeper: TickKeeper, { limits, traffic, report, stopping }: Hosting): Responder {
  return {
    maxRequest: 0,
    requestMs: limits.requestMs,
    waitMs: limits.waitMs,
    admission: new Admission(new Rates(limits.requestsPerSecond, limits.requestBurst), limits.requestsPerPeer, traffic),
    rooms: roomsOf(limits, MAX_TICK, MAX_TICK),
    times: limits,
    stopping,
    answer: (_) => {
      try {
        const body = keeper.newest()
        return Promise.resolve(body === undefined ? { status: 'unknown' } : { status: 'found', body })
      } catch (cause) {
        report(new TicksError('no answer to who asks for the newest tick', { cause }))
        return Promise.resolve({ status: 'failed' })
      }
    },
  }
}

/** A peer that looks into its memory answers at once. */
const RESPONSE_MS = 5_000

/** Asks one peer for the newest tick that it knows. @throws the signal's reason */
export async function askForTick(
  peers: Peers,
  protocol: string,
  peer: string,
  limits: Limits,
  signal: AbortSignal,
): Promise<Response> {
  const times = { ...limits, responseMs: RESPONSE_MS }
  return await ask(peers, peer, protocol, new Uint8Array(0), { maxBody: MAX_TICK, times, signal })
}

class TicksError extends Error {
  override readonly name = 'TicksError'
}
