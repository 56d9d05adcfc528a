import type { Guest } from './room.ts'

/**
 * Token buckets, one for each key: `burst` tokens at first, refilled at `perSecond`. Keys are peers, which cost an
 * attacker nothing, so only the `MAX_KEYS` used last are kept.
 */
export class Rates {
  private readonly perSecond: number
  private readonly burst: number
  /** In order of last use. */
  private readonly buckets = new Map<string, { tokens: number; at: number }>()

  constructor(perSecond: number, burst: number) {
    this.perSecond = perSecond
    this.burst = burst
  }

  /** Takes a token of `key`. `now` in ms, never falling. */
  take(key: string, now: number): boolean {
    const last = this.buckets.get(key) ?? { tokens: this.burst, at: now }
    const tokens = Math.min(this.burst, last.tokens + ((now - last.at) / 1000) * this.perSecond)
    this.buckets.delete(key)
    this.buckets.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now })
    if (this.buckets.size > MAX_KEYS) this.forgetOldest()
    return tokens >= 1
  }

  private forgetOldest(): void {
    for (const key of this.buckets.keys()) {
      this.buckets.delete(key)
      return
    }
  }
}

export const MAX_KEYS = 1024

/**
 * Requests a second over all protocols. Each takes some half a millisecond of the one thread that also follows Bitcoin, so
 * strangers, however many they are, get less than half of it: each a little that nobody else can use up, and what is
 * left goes to whoever asks. As names cost nothing, those that gave data share as much apart from those that did not.
 */
const OWN_RATE = { perSecond: 4, burst: 32 }
const SPARE_RATE = { perSecond: 256, burst: 512 }
/** Of requests that were refused. Peers that wait when they are told to stay far below. */
const FLOOD_RATE = { perSecond: 16, burst: 128 }

/** What all that peers ask for costs this node together, whatever it is. */
export class Traffic {
  private readonly own = new Rates(OWN_RATE.perSecond, OWN_RATE.burst)
  private readonly spare = new Rates(SPARE_RATE.perSecond, SPARE_RATE.burst)
  private readonly floods = new Rates(FLOOD_RATE.perSecond, FLOOD_RATE.burst)
  private readonly cutOff: (peer: string) => void

  /** @param cutOff of a peer that goes on asking although it is told to wait */
  constructor(cutOff: (peer: string) => void) {
    this.cutOff = cutOff
  }

  /** Whether one more request of a peer may be looked at. `now` in ms, never falling. */
  admits({ peer, rank }: Asker, now: number): boolean {
    if (rank === 2 || this.own.take(peer, now)) return true
    return (rank === 1 && this.spare.take('gave', now)) || this.spare.take('all', now)
  }

  noteRefused({ peer, rank }: Asker, now: number): void {
    if (rank < 2 && !this.floods.take(peer, now)) this.cutOff(peer)
  }
}

type Asker = Pick<Guest, 'peer' | 'rank'>

/** Which requests of a peer are let in: by a rate, and by how many are on their way, waiting or being answered. */
export class Admission {
  private readonly rates: Rates
  private readonly perPeer: number
  private readonly traffic: Traffic
  private readonly open = new Map<string, number>()

  constructor(rates: Rates, perPeer: number, traffic: Traffic) {
    this.rates = rates
    this.perPeer = perPeer
    this.traffic = traffic
  }

  /** True: the peer's request may come, and `leave` must follow. */
  enter(asker: Asker, now: number): boolean {
    const open = this.open.get(asker.peer) ?? 0
    const isAdmitted = open < this.perPeer && this.rates.take(asker.peer, now) && this.traffic.admits(asker, now)
    if (isAdmitted) this.open.set(asker.peer, open + 1)
    else this.traffic.noteRefused(asker, now)
    return isAdmitted
  }

  leave(peer: string): void {
    const open = this.open.get(peer)
    if (open === undefined) throw new Error(`${peer} leaves without having entered`)
    if (open === 1) this.open.delete(peer)
    else this.open.set(peer, open - 1)
  }
}

/** At most `places` holders at once; the others wait in line. */
export class Turns {
  private free: number
  private readonly line: (() => void)[] = []

  constructor(places: number) {
    this.free = places
  }

  /** Runs `work` when its turn comes. @throws the signal's reason when it aborts before that. */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.wait(signal)
    try {
      return await work()
    } finally {
      this.pass()
    }
  }

  private wait(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason)
    if (this.free > 0) {
      this.free--
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const go = () => {
        signal.removeEventListener('abort', leave)
        resolve()
      }
      const leave = () => {
        this.line.splice(this.line.indexOf(go), 1)
        reject(signal.reason)
      }
      signal.addEventListener('abort', leave, { once: true })
      this.line.push(go)
    })
  }

  private pass(): void {
    const next = this.line.shift()
    if (next === undefined) this.free++
    else next()
  }
}
