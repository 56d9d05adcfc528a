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

/** Which requests are let in: by a rate for each peer, and by how many of the peer's and of all are being answered. */
export class Admission {
  private readonly rates: Rates
  private readonly perPeer: number
  private readonly inAll: number
  private readonly open = new Map<string, number>()
  /** Invariant: the sum of `open`. */
  private all = 0

  constructor(rates: Rates, limits: { readonly requestsPerPeer: number; readonly requestsInAll: number }) {
    this.rates = rates
    this.perPeer = limits.requestsPerPeer
    this.inAll = limits.requestsInAll
  }

  /** True: the peer's request may be answered, and `leave` must follow. */
  enter(peer: string, now: number): boolean {
    const open = this.open.get(peer) ?? 0
    if (open >= this.perPeer || this.all >= this.inAll || !this.rates.take(peer, now)) return false
    this.open.set(peer, open + 1)
    this.all++
    return true
  }

  leave(peer: string): void {
    const open = this.open.get(peer)
    if (open === undefined) throw new Error(`${peer} leaves without having entered`)
    if (open === 1) this.open.delete(peer)
    else this.open.set(peer, open - 1)
    this.all--
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
