import type { Stream } from '@libp2p/interface'
import type { Admission, Traffic } from './admission.ts'
import { type Answer, type AnswerStatus, decodeAnswer, encodeAnswer, MAX_CONTROL } from './control.ts'
import { asError, DeadlineError, unlessAborted, withDeadline } from './deadline.ts'
import type { Limits } from './limits.ts'
import type { Use } from './places.ts'
import { type Guest, type Rank, Room, type Stay } from './room.ts'
import { discardToEnd, type Meter, OversizeError, readToEnd, sendToEnd } from './stream.ts'

/**
 * One request and one response over a stream of their own. The request is all bytes up to the end of the asker's
 * writing. The response is a u16 length (little-endian), an `Answer` of that length, and exactly its `size` in bytes.
 */

/** The peers a request can go to. */
export interface Peers {
  /** What responses to this node's requests may hold. */
  readonly taking: Room
  rankOf(peer: string): Rank
  /**
   * Ids of connected peers that speak `protocol`, or have not yet said what they speak: those of the highest rank
   * first, and among them those that have said so.
   */
  speaking(protocol: string): string[]
  /** @throws when the peer is not connected, or does not speak the protocol (named UnsupportedProtocolError). */
  openStream(peer: string, protocol: string, signal: AbortSignal): Promise<Stream>
  /** It was of use: this keeps its place among the connected. */
  noteUse(peer: string, use: Use): void
}

export type Times = Pick<Limits, 'stallMs' | 'responseMs'>

export type Response =
  | { readonly status: 'found'; readonly body: Uint8Array }
  | { readonly status: Exclude<AnswerStatus, 'found'> }
  /** The peer broke the protocol. */
  | { readonly status: 'malformed'; readonly reason: string }
  /** The peer does not speak the protocol. */
  | { readonly status: 'unsupported' }
  /** The peer could not be reached, stalled or was too slow. */
  | { readonly status: 'silent'; readonly reason: string }

/** A length before the answer. */
const PREFIX = 2

/** What is small, or of this node's own. */
const NOT_COUNTED = { moved: () => undefined }

/** How long a refused peer may go on sending its request, so that it reads the refusal rather than a broken stream. */
const REFUSAL_MS = 1_000

interface AskingOptions {
  readonly maxBody: number
  readonly times: Times
  readonly signal: AbortSignal
  /** Told of the bytes that come. */
  readonly moved?: (bytes: number) => void
}

/**
 * Asks one peer. Whatever it does is a value.
 * @throws the reason of `signal` when it aborts.
 */
export async function ask(
  peers: Peers,
  peer: string,
  protocol: string,
  request: Uint8Array,
  options: AskingOptions,
): Promise<Response> {
  const { maxBody, times, moved = () => undefined } = options
  try {
    return await withDeadline(times.responseMs, [options.signal], async (signal) => {
      const stream = await peers.openStream(peer, protocol, signal)
      const stay = peers.taking.open({ peer, rank: peers.rankOf(peer), end: (reason) => stream.abort(reason) })
      const meter: Meter = {
        hold: stay.hold,
        moved: (bytes) => {
          stay.moved(bytes)
          moved(bytes)
        },
      }
      try {
        const reply = readToEnd(stream, PREFIX + MAX_CONTROL + maxBody, times.stallMs, signal, meter)
        const [bytes] = await Promise.all([reply, sendToEnd(stream, [request], times.stallMs, signal, NOT_COUNTED)])
        return parseResponse(bytes, maxBody)
      } catch (cause) {
        stream.abort(asError(cause))
        throw cause
      } finally {
        stay.leave()
      }
    })
  } catch (cause) {
    options.signal.throwIfAborted()
    return judgeFailure(asError(cause))
  }
}

function judgeFailure(error: Error): Response {
  if (error.name === 'UnsupportedProtocolError') return { status: 'unsupported' }
  return { status: error instanceof OversizeError ? 'malformed' : 'silent', reason: error.message }
}

export interface Responder {
  readonly maxRequest: number
  /** A request must have come whole within this time, ms. */
  readonly requestMs: number
  readonly waitMs: number
  readonly admission: Admission
  readonly rooms: Rooms
  readonly times: Times
  readonly stopping: AbortSignal
  /** Must not throw. `signal` aborts when the response's time is over or the host stops. */
  answer(request: Uint8Array, signal: AbortSignal, peer: string): Promise<Reply>
}

/** What all responders of a host have in common. */
export interface Hosting {
  readonly limits: Limits
  readonly traffic: Traffic
  /** Told of what the host's callbacks throw. */
  readonly report: (error: Error) => void
  readonly stopping: AbortSignal
}

/** What the peers that ask for one thing may hold together, while their requests come, are answered, and answers go. */
export interface Rooms {
  /** Bytes: no peer with one request at a time has to give way to others, however many they are. */
  readonly arriving: Room
  readonly answering: Room
  /** Bytes. */
  readonly delivering: Room
}

/** @param maxBody the longest answer, bytes */
export function roomsOf(limits: Limits, maxRequest: number, maxBody: number): Rooms {
  return {
    arriving: new Room(2 * limits.maxStrangers * maxRequest, 0),
    answering: new Room(limits.requestsInAll, Number.POSITIVE_INFINITY),
    delivering: new Room(limits.requestsInAll * maxBody, limits.sliceMs),
  }
}

export type Reply =
  | { readonly status: 'found'; readonly body: Uint8Array }
  | { readonly status: 'unknown' | 'failed' }
  /** Not a request: the stream is cut, as there is nobody to talk to. */
  | { readonly status: 'malformed'; readonly reason: string }

/**
 * Handles a stream of one protocol. Whatever the peer does, its stream is gone when the promise resolves. A request takes
 * a place among those that are answered only once it is there as a whole, and its answer gives the place back.
 * @returns whether the peer asked for something that this node had, and took it
 */
export async function serve(
  responder: Responder,
  stream: Stream,
  asker: Pick<Guest, 'peer' | 'rank'>,
): Promise<boolean> {
  const { admission, rooms, times, stopping, maxRequest, requestMs } = responder
  if (!admission.enter(asker, performance.now())) {
    await refuse(responder, stream)
    return false
  }
  const guest = { ...asker, end: (reason: Error) => stream.abort(reason) }
  const arrival = rooms.arriving.open(guest)
  try {
    const request = await withDeadline(requestMs, [stopping], (signal) =>
      readToEnd(stream, maxRequest, times.stallMs, signal, arrival),
    )
    return await withDeadline(times.responseMs, [stopping], (signal) =>
      respond(responder, stream, { guest, arrival, request, signal }),
    )
  } catch (cause) {
    stream.abort(asError(cause))
    return false
  } finally {
    arrival.leave()
    admission.leave(asker.peer)
  }
}

interface Arrived {
  readonly guest: Guest
  /** Of the request, which is held until it is answered. */
  readonly arrival: Stay
  readonly request: Uint8Array
  readonly signal: AbortSignal
}

async function respond(responder: Responder, stream: Stream, arrived: Arrived): Promise<boolean> {
  const { guest, arrival, request, signal } = arrived
  const { rooms, times } = responder
  const place = await waitFor(responder, guest, signal)
  if (place === undefined) {
    await refuse(responder, stream)
    return false
  }
  let delivery: Stay | undefined
  try {
    const reply = await unlessAborted(responder.answer(request, signal, guest.peer), signal)
    if (reply.status === 'malformed') throw new RequestError(reply.reason)
    arrival.leave()
    const [head, body] = writeResponse(reply)
    delivery = await rooms.delivering.enter(guest, head.length + body.length, signal)
    place.leave()
    await sendToEnd(stream, [head, body], times.stallMs, signal, delivery)
    return reply.status === 'found'
  } finally {
    place.leave()
    delivery?.leave()
  }
}

/** Undefined where too many wait for too long. */
async function waitFor({ rooms, waitMs }: Responder, guest: Guest, signal: AbortSignal): Promise<Stay | undefined> {
  try {
    return await withDeadline(waitMs, [signal], (waiting) => rooms.answering.enter(guest, 1, waiting))
  } catch (cause) {
    if (cause instanceof DeadlineError && !signal.aborted) return undefined
    throw cause
  }
}

async function refuse(responder: Responder, stream: Stream): Promise<void> {
  try {
    await withDeadline(REFUSAL_MS, [responder.stopping], (signal) =>
      sendToEnd(stream, writeResponse({ status: 'busy' }), REFUSAL_MS, signal, NOT_COUNTED),
    )
    await discardToEnd(stream, REFUSAL_MS)
    if (stream.status !== 'closed') stream.abort(new RequestError('refused, and went on sending'))
  } catch (cause) {
    stream.abort(asError(cause))
  }
}

function writeResponse(
  reply: { readonly status: 'found'; readonly body: Uint8Array } | { readonly status: Exclude<AnswerStatus, 'found'> },
): readonly [Uint8Array, Uint8Array] {
  const body = reply.status === 'found' ? reply.body : new Uint8Array(0)
  const answer = encodeAnswer({ status: reply.status, size: body.length })
  const head = new Uint8Array(PREFIX + answer.length)
  new DataView(head.buffer).setUint16(0, answer.length, true)
  head.set(answer, PREFIX)
  return [head, body]
}

function parseResponse(bytes: Uint8Array, maxBody: number): Response {
  if (bytes.length < PREFIX) return { status: 'malformed', reason: 'no answer' }
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint16(0, true)
  const answer = decodeAnswer(bytes.subarray(PREFIX, PREFIX + length), maxBody)
  if (!answer.ok) return { status: 'malformed', reason: answer.reason }
  const body = bytes.subarray(PREFIX + length)
  return toResponse(answer.value, body)
}

function toResponse(answer: Answer, body: Uint8Array): Response {
  if (body.length !== answer.size) {
    return { status: 'malformed', reason: `a body of ${body.length} bytes, announced as ${answer.size}` }
  }
  return answer.status === 'found' ? { status: 'found', body } : { status: answer.status }
}

class RequestError extends Error {
  override readonly name = 'RequestError'
}
