import type { Connection, Stream } from '@libp2p/interface'
import type { Admission } from './admission.ts'
import { type Answer, type AnswerStatus, decodeAnswer, encodeAnswer, MAX_CONTROL } from './control.ts'
import { asError, unlessAborted, withDeadline } from './deadline.ts'
import type { Use } from './places.ts'
import { discardToEnd, OversizeError, readToEnd, sendToEnd } from './stream.ts'

/**
 * One request and one response over a stream of their own. The request is all bytes up to the end of the asker's
 * writing. The response is a u16 length (little-endian), an `Answer` of that length, and exactly its `size` in bytes.
 */

/** The peers a request can go to. */
export interface Peers {
  /** Ids of connected peers that speak `protocol`, then of those that have not yet said what they speak. */
  speaking(protocol: string): string[]
  /** @throws when the peer is not connected, or does not speak the protocol (named UnsupportedProtocolError). */
  openStream(peer: string, protocol: string, signal: AbortSignal): Promise<Stream>
  /** It was of use: this keeps its place among the connected. */
  noteUse(peer: string, use: Use): void
}

export interface Times {
  readonly requestMs: number
  readonly stallMs: number
  readonly responseMs: number
}

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

/** How long a refused peer may go on sending its request, so that it reads the refusal rather than a broken stream. */
const REFUSAL_MS = 1_000

/**
 * Asks one peer. Whatever it does is a value.
 * @throws the reason of `signal` when it aborts.
 */
export async function ask(
  peers: Peers,
  peer: string,
  protocol: string,
  request: Uint8Array,
  options: { readonly maxBody: number; readonly times: Times; readonly signal: AbortSignal },
): Promise<Response> {
  const { maxBody, times } = options
  try {
    return await withDeadline(times.responseMs, [options.signal], async (signal) => {
      const stream = await peers.openStream(peer, protocol, signal)
      try {
        const reply = readToEnd(stream, PREFIX + MAX_CONTROL + maxBody, times.stallMs, signal)
        const [bytes] = await Promise.all([reply, sendToEnd(stream, [request], times.stallMs, signal)])
        return parseResponse(bytes, maxBody)
      } catch (cause) {
        stream.abort(asError(cause))
        throw cause
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
  readonly admission: Admission
  readonly times: Times
  readonly stopping: AbortSignal
  /** Must not throw. `signal` aborts when the response's time is over or the host stops. */
  answer(request: Uint8Array, signal: AbortSignal, peer: string): Promise<Reply>
}

export type Reply =
  | { readonly status: 'found'; readonly body: Uint8Array }
  | { readonly status: 'unknown' | 'failed' }
  /** Not a request: the stream is cut, as there is nobody to talk to. */
  | { readonly status: 'malformed'; readonly reason: string }

/**
 * Handles the streams of one protocol. Whatever the peer does, its stream is gone when the promise resolves.
 * @returns whether the peer asked for something that this node had, and took it
 */
export async function serve(responder: Responder, stream: Stream, connection: Connection): Promise<boolean> {
  const peer = connection.remotePeer.toString()
  if (!responder.admission.enter(peer, performance.now())) {
    await refuse(responder, stream)
    return false
  }
  try {
    const request = await withDeadline(responder.times.requestMs, [responder.stopping], (signal) =>
      readToEnd(stream, responder.maxRequest, responder.times.stallMs, signal),
    )
    return await withDeadline(responder.times.responseMs, [responder.stopping], async (signal) => {
      const reply = await unlessAborted(responder.answer(request, signal, peer), signal)
      if (reply.status === 'malformed') throw new RequestError(reply.reason)
      await sendToEnd(stream, writeResponse(reply), responder.times.stallMs, signal)
      return reply.status === 'found'
    })
  } catch (cause) {
    stream.abort(asError(cause))
    return false
  } finally {
    responder.admission.leave(peer)
  }
}

async function refuse(responder: Responder, stream: Stream): Promise<void> {
  try {
    await withDeadline(REFUSAL_MS, [responder.stopping], (signal) =>
      sendToEnd(stream, writeResponse({ status: 'busy' }), REFUSAL_MS, signal),
    )
    await discardToEnd(stream, REFUSAL_MS)
    if (stream.status !== 'closed') stream.abort(new RequestError('refused, and went on sending'))
  } catch (cause) {
    stream.abort(asError(cause))
  }
}

function writeResponse(
  reply: { readonly status: 'found'; readonly body: Uint8Array } | { readonly status: Exclude<AnswerStatus, 'found'> },
): Uint8Array[] {
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
