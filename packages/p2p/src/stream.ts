import type { Stream } from '@libp2p/interface'
import { asError } from './deadline.ts'

/**
 * Bytes over one stream, in both directions with bounds.
 *
 * libp2p's own helpers are not used, for three reasons seen in version 3.3: iterating a stream queues without bound and
 * never ends when the other side had finished before the iteration began; `onDrain` keeps its first promise, so from
 * the second wait on it holds nothing back; and neither knows a stall from slowness.
 */

/** Smaller pieces cost more frames; larger ones wait in the stream's buffer rather than with us. */
const PIECE = 64 * 1024
const FIRST_BUFFER = 4 * 1024

/** Told of what a transfer costs while it is under way. */
export interface Meter {
  /** So many bytes more came, or were taken. */
  moved(bytes: number): void
  /** So many are held now. */
  hold(bytes: number): void
}

/**
 * Everything up to the end of the other side's writing. At most twice `limit` bytes are held, in one buffer: of a
 * stranger's one-byte pieces, a list would weigh a hundred times their content.
 * @throws OversizeError for more than `limit` bytes; StreamError when none come for `stallMs`, or the stream breaks
 *   before its end; the signal's reason when it aborts.
 */
export function readToEnd(
  stream: Stream,
  limit: number,
  stallMs: number,
  signal: AbortSignal,
  meter: Meter,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    let buffer = new Uint8Array(Math.min(limit, FIRST_BUFFER))
    let size = 0
    // Only while our own end is open does a closed other end mean that its writer ended it.
    let ended = stream.remoteWriteStatus === 'closed' && stream.status === 'open'
    const settle = (outcome: () => void) => {
      clearTimeout(stall)
      stream.removeEventListener('message', onMessage)
      stream.removeEventListener('remoteCloseWrite', onEnd)
      stream.removeEventListener('close', onClose)
      signal.removeEventListener('abort', onAbort)
      outcome()
    }
    const fail = (error: Error) => settle(() => reject(error))
    const finish = () => settle(() => resolve(buffer.slice(0, size)))
    // Bytes that came before this call, or were read ahead while the protocol was agreed on, are still to be told.
    const finishWhenRead = () => {
      if (ended && stream.readBufferLength === 0) finish()
    }
    const onMessage = (event: { readonly data: Bytes }) => {
      const piece = toBytes(event.data)
      if (size + piece.length > limit) return fail(new OversizeError(limit))
      buffer = withRoom(buffer, size, piece.length, limit)
      meter.hold(buffer.length)
      buffer.set(piece, size)
      size += piece.length
      meter.moved(piece.length)
      stall.refresh()
      finishWhenRead()
    }
    // A frame may carry both the last bytes and the end, and the end is told first: look when the frame is handled.
    const onEnd = () => {
      ended = true
      queueMicrotask(finishWhenRead)
    }
    const onClose = () => {
      if (!ended) fail(new StreamError('the stream broke before its end'))
    }
    const onAbort = () => fail(asError(signal.reason))
    const stall = setTimeout(() => fail(new StreamError(`nothing came for ${stallMs} ms`)), stallMs)
    if (signal.aborted) return onAbort()
    if (!ended && stream.status !== 'open') return onClose()
    signal.addEventListener('abort', onAbort)
    stream.addEventListener('remoteCloseWrite', onEnd)
    stream.addEventListener('close', onClose)
    stream.addEventListener('message', onMessage)
    finishWhenRead()
  })
}

/**
 * Sends all parts and then the end, no faster than the other side takes them.
 * @throws StreamError when the other side takes nothing for `stallMs`, or the stream breaks; the signal's reason.
 */
export async function sendToEnd(
  stream: Stream,
  parts: readonly Uint8Array[],
  stallMs: number,
  signal: AbortSignal,
  meter: Pick<Meter, 'moved'>,
): Promise<void> {
  for (const part of parts) {
    for (let at = 0; at < part.length; at += PIECE) {
      while (stream.writableNeedsDrain) await drained(stream, stallMs, signal)
      signal.throwIfAborted()
      const piece = part.subarray(at, at + PIECE)
      stream.send(piece)
      meter.moved(piece.length)
    }
  }
  await stream.close({ signal })
}

/** Waits until the other side has ended its writing or `ms` are over, throwing away what it writes. */
export function discardToEnd(stream: Stream, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const discard = () => undefined
    const done = () => {
      clearTimeout(timer)
      stream.removeEventListener('message', discard)
      stream.removeEventListener('remoteCloseWrite', done)
      stream.removeEventListener('close', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    if (stream.remoteWriteStatus === 'closed' || stream.status !== 'open') return done()
    stream.addEventListener('remoteCloseWrite', done)
    stream.addEventListener('close', done)
    stream.addEventListener('message', discard)
  })
}

function drained(stream: Stream, stallMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void) => {
      clearTimeout(stall)
      stream.removeEventListener('drain', onDrain)
      stream.removeEventListener('close', onClose)
      signal.removeEventListener('abort', onAbort)
      outcome()
    }
    const onDrain = () => settle(resolve)
    const onClose = () => settle(() => reject(new StreamError('the stream broke while sending')))
    const onAbort = () => settle(() => reject(asError(signal.reason)))
    const stall = setTimeout(() => settle(() => reject(new StreamError(`nothing taken for ${stallMs} ms`))), stallMs)
    if (signal.aborted) return onAbort()
    if (stream.status !== 'open') return onClose()
    stream.addEventListener('drain', onDrain)
    stream.addEventListener('close', onClose)
    signal.addEventListener('abort', onAbort)
  })
}

type Bytes = Uint8Array | { subarray(): Uint8Array }

function toBytes(data: Bytes): Uint8Array {
  return data instanceof Uint8Array ? data : data.subarray()
}

function withRoom(buffer: Uint8Array<ArrayBuffer>, size: number, more: number, limit: number): Uint8Array<ArrayBuffer> {
  if (size + more <= buffer.length) return buffer
  const larger = new Uint8Array(Math.min(limit, Math.max(size + more, 2 * buffer.length)))
  larger.set(buffer.subarray(0, size))
  return larger
}

/** More came than the protocol allows: no accident, unlike a StreamError. */
export class OversizeError extends Error {
  override readonly name = 'OversizeError'
  constructor(limit: number) {
    super(`more than ${limit} bytes`)
  }
}

class StreamError extends Error {
  override readonly name = 'StreamError'
}
