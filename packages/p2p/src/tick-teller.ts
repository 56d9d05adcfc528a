import type { Stream } from '@libp2p/interface'
import { Rates } from './admission.ts'
import { asError, withDeadline } from './deadline.ts'
import type { Limits } from './limits.ts'
import type { Peers } from './request.ts'
import { frameOf } from './tick-frames.ts'

/** Peers that are told, of the highest rank first: enough that one of them remembers, and each costs an encryption a tick. */
const MAX_TOLD = 16
/** Streams to one peer: it is tried twice, then every few seconds. */
const ATTEMPT_RATE = { perSecond: 0.2, burst: 2 }
const REFRESH_MS = 1_000

/**
 * Tells peers of each tick. The streams are there before there is a tick, and what is sent goes to the kernel at once: it
 * outlives this process, should it be killed. Nobody waits for a peer: one that does not read gets the newest tick when it
 * does, and loses its stream if that takes too long.
 */
export class TickTeller {
  private readonly peers: Peers
  private readonly protocol: string
  private readonly limits: Limits
  private readonly stopping: AbortSignal
  private readonly attempts = new Rates(ATTEMPT_RATE.perSecond, ATTEMPT_RATE.burst)
  private readonly lines = new Map<string, Line>()
  private newest: Uint8Array | undefined

  constructor(peers: Peers, protocol: string, limits: Limits, stopping: AbortSignal) {
    this.peers = peers
    this.protocol = protocol
    this.limits = limits
    this.stopping = stopping
    const refreshing = setInterval(() => this.refresh(), REFRESH_MS)
    stopping.addEventListener('abort', () => {
      clearInterval(refreshing)
      for (const line of this.lines.values()) line.end(asError(stopping.reason))
    })
  }

  /** @throws RangeError for more than `MAX_TICK` bytes, or none */
  tell(tick: Uint8Array): void {
    this.newest = frameOf(tick)
    for (const line of this.lines.values()) line.send(this.newest)
  }

  /** Somebody came, or has said what it speaks. */
  refresh(): void {
    if (this.stopping.aborted) return
    const wanted = this.peers.speaking(this.protocol).slice(0, MAX_TOLD)
    for (const [peer, line] of this.lines) if (!wanted.includes(peer)) line.end(new TellError('others come first'))
    for (const peer of wanted) {
      if (!this.lines.has(peer) && this.attempts.take(peer, performance.now())) void this.open(peer)
    }
  }

  /** Never rejects: a peer that can't be told now is tried again. */
  private async open(peer: string): Promise<void> {
    const line = new Line(this.limits.stallMs)
    this.lines.set(peer, line)
    const opened = await this.tryOpen(peer)
    if (!(opened instanceof Error)) await line.run(opened, this.newest)
    this.lines.delete(peer)
  }

  private async tryOpen(peer: string): Promise<Stream | Error> {
    try {
      return await withDeadline(this.limits.stallMs, [this.stopping], (signal) =>
        this.peers.openStream(peer, this.protocol, signal),
      )
    } catch (cause) {
      return asError(cause)
    }
  }
}

/** The stream to one peer. */
class Line {
  private readonly stallMs: number
  private stream: Stream | undefined
  private over: Error | undefined
  /** The newest tick, where the peer has not read those before. */
  private waiting: Uint8Array | undefined
  private stall: NodeJS.Timeout | undefined

  constructor(stallMs: number) {
    this.stallMs = stallMs
  }

  /** Until it ends. @param newest what was told last, before the stream was there */
  run(stream: Stream, newest: Uint8Array | undefined): Promise<void> {
    if (this.over !== undefined) stream.abort(this.over)
    if (stream.status !== 'open') return Promise.resolve()
    this.stream = stream
    return new Promise((resolve) => {
      stream.addEventListener('drain', () => this.drained())
      stream.addEventListener('close', () => {
        clearTimeout(this.stall)
        resolve()
      })
      if (newest !== undefined) this.send(newest)
    })
  }

  send(frame: Uint8Array): void {
    const { stream } = this
    if (stream === undefined || stream.writeStatus === 'closed' || stream.writeStatus === 'closing') return
    if (!stream.writableNeedsDrain) {
      stream.send(frame)
      return
    }
    this.waiting = frame
    this.stall ??= setTimeout(() => this.end(new TellError('the peer does not read')), this.stallMs)
  }

  end(reason: Error): void {
    this.over = reason
    this.stream?.abort(reason)
  }

  private drained(): void {
    clearTimeout(this.stall)
    this.stall = undefined
    const { waiting } = this
    this.waiting = undefined
    if (waiting !== undefined) this.send(waiting)
  }
}

class TellError extends Error {
  override readonly name = 'TellError'
}
