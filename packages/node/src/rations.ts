import type { Socket } from 'node:net'
import { Gate } from './gate.ts'
import { Turns } from './turns.ts'

/**
 * Requests a second that connections get as their own while the thread is idle: all together, and one of them at most. Where
 * it is busy, they get less by as much, though never less than a part. Unused, a connection saves up some, and begins with a
 * few.
 */
const ALL_PER_SECOND = 500
const OWN_PER_SECOND = 16
const LEAST_SHARE = 1 / 16
const SAVED_MOST = 32
const SAVED_FIRST = 8

/** Bytes of a request and its answer that cost as much as one more request: to read, to make and to send. */
const BYTES_OF_ONE = 8192

/** What was taken pays for its request, and so many rows of it for the bytes of one. */
const TAKEN_PAYS = 2
const ROWS_OF_ONE = 16

/** The next one's turn comes after this, though a request still waits: for the disk, for bitcoind, for signatures. */
const TURN_MS = 20

/**
 * Queries that are worked on at once: of those that had to wait for a turn, and of the others. Each may hold a megabyte of
 * what it has read so far. What is submitted is not among them: it waits for its signatures, and is bounded there.
 */
const QUERIES_IN_TURN = 16
const QUERIES = 48

/** How busy the thread is, is what it was for so long before, in ms. */
const LOOK_MS = 100

/** After a turn, others have so many times what it took. */
const REST = 2

/** What a connection may have answered at once, in requests. Below one it is in debt, and waits for its turn. */
interface Allowance {
  left: number
  /** When it was counted, in ms. */
  at: number
  /** Of the connection, those that are paid for. */
  bytes: number
}

/**
 * Shares out the one thread that answers and does all else. A connection that asks now and then is answered at once. Those
 * that ask without a pause have their turns one after another, and after each twice the time goes to all others that it
 * took: so queries get a third of the thread at most, and what is submitted in vain another, however many connections there
 * are, and none of them more than the others.
 */
export class Rations {
  private readonly allowances = new WeakMap<Socket, Allowance>()
  /** Queries wait for queries, and what is submitted for what is. */
  private readonly turns = { query: new Turns(Number.POSITIVE_INFINITY), other: new Turns(Number.POSITIVE_INFINITY) }
  private readonly gates = { inTurn: new Gate(QUERIES_IN_TURN), other: new Gate(QUERIES) }
  private readonly connections: () => number
  private looked = { at: performance.now(), elu: performance.eventLoopUtilization(), idle: 1 }

  /** @param connections that are open now */
  constructor(connections: () => number) {
    this.connections = connections
  }

  /** Does `work`, which answers a request of a connection, when it may; not at all where that is closed by then. */
  async share(socket: Socket, isQuery: boolean, work: () => Promise<unknown>): Promise<void> {
    const over = this.allowanceOf(socket).left >= 1 ? undefined : await this.turns[isQuery ? 'query' : 'other'].take(1)
    if (socket.destroyed) {
      over?.()
      return
    }
    const gate = over === undefined ? this.gates.other : this.gates.inTurn
    const wanted = () => (socket.destroyed ? Promise.resolve() : work())
    const begin = isQuery ? () => gate.pass(wanted) : work
    const done = over === undefined ? begin() : inTurn(begin, over)
    await done.finally(() => this.charge(socket))
  }

  /** For rows that were taken: whoever pays is no burden. */
  credit(socket: Socket, rows: number): void {
    if (rows === 0) return
    const allowance = this.allowanceOf(socket)
    allowance.left = Math.min(SAVED_MOST, allowance.left + TAKEN_PAYS + rows / ROWS_OF_ONE)
  }

  private charge(socket: Socket): void {
    const allowance = this.allowanceOf(socket)
    const bytes = socket.bytesRead + socket.bytesWritten
    allowance.left -= 1 + (bytes - allowance.bytes) / BYTES_OF_ONE
    allowance.bytes = bytes
  }

  private allowanceOf(socket: Socket): Allowance {
    const now = performance.now()
    let allowance = this.allowances.get(socket)
    if (allowance === undefined) {
      allowance = { left: SAVED_FIRST, at: now, bytes: 0 }
      this.allowances.set(socket, allowance)
    }
    const perSecond = Math.min(OWN_PER_SECOND, ALL_PER_SECOND / Math.max(1, this.connections()))
    const earned = ((now - allowance.at) / 1000) * perSecond * Math.max(LEAST_SHARE, this.idleShare(now))
    allowance.left = Math.min(SAVED_MOST, allowance.left + earned)
    allowance.at = now
    return allowance
  }

  private idleShare(now: number): number {
    if (now - this.looked.at < LOOK_MS) return this.looked.idle
    const elu = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(elu, this.looked.elu)
    this.looked = { at: now, elu, idle: 1 - utilization }
    return this.looked.idle
  }
}

function inTurn(work: () => Promise<unknown>, over: () => void): Promise<unknown> {
  const began = performance.now()
  let isOver = false
  const end = () => {
    if (isOver) return
    isOver = true
    clearTimeout(timer)
    setTimeout(over, REST * (performance.now() - began))
  }
  const timer = setTimeout(end, TURN_MS)
  return work().finally(end)
}
