import { MAX_KEYS } from './admission.ts'

/**
 * How much a peer's requests matter here: 0 a stranger's, 1 those of one that gave what could be checked, 2 those of one
 * that this node dials or that its operator named.
 */
export type Rank = 0 | 1 | 2

/**
 * Of a room, what peers up to each rank hold together at most: strangers a half, and a quarter is left to those whom the
 * operator named. So whoever fills what he may fill still leaves room for better ones.
 */
const SHARES: readonly number[] = [1 / 2, 3 / 4, 1]
const RANKS: readonly Rank[] = [0, 1, 2]

export interface Guest {
  readonly peer: string
  readonly rank: Rank
  /** Ends what it is at. What it held is given to others when this returns. */
  readonly end: (reason: Error) => void
}

/** A guest's place. After it was ended nothing of it counts any more. */
export interface Stay {
  /** So much went on: who does least in his time goes first. */
  moved(amount: number): void
  /** From now on it holds so much. Others may have to go, or it itself. */
  hold(amount: number): void
  /** Gives back what it holds. Again it changes nothing. */
  leave(): void
}

interface Holder {
  readonly guest: Guest
  readonly since: number
  amount: number
  moved: number
}

interface Waiter {
  readonly guest: Guest
  readonly amount: number
  readonly enter: (stay: Stay) => void
}

/**
 * What peers may hold of something that is scarce, in whatever it is measured in. Names cost a peer nothing, so a room
 * is shared out between peers rather than to who comes first: whoever has fewest stays enters first, then whoever was
 * let in least recently; and when it is full a peer with most stays gives way, among equals the stay that goes slowest.
 */
export class Room {
  private readonly size: number
  private readonly sliceMs: number
  private readonly holders = new Set<Holder>()
  private readonly waiters = new Set<Waiter>()
  /** Stays of each peer, and what the peers of each rank hold. Invariant: both follow from the holders. */
  private readonly stays = new Map<string, number>()
  private readonly byRank = [0, 0, 0]
  /** When peers were let in, of the `MAX_KEYS` that were last. */
  private readonly served = new Map<string, number>()
  private entries = 0
  private timer: NodeJS.Timeout | undefined

  /** @param sliceMs for how long nobody has to go who waited to come in; Infinity where nobody ever has to */
  constructor(size: number, sliceMs: number) {
    this.size = size
    this.sliceMs = sliceMs
  }

  /** Waits until there is room for `amount`. @throws the signal's reason when it aborts before that */
  enter(guest: Guest, amount: number, signal: AbortSignal): Promise<Stay> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const leave = () => {
        this.waiters.delete(waiter)
        reject(signal.reason)
      }
      const enter = (stay: Stay) => {
        signal.removeEventListener('abort', leave)
        resolve(stay)
      }
      const waiter = { guest, amount, enter }
      signal.addEventListener('abort', leave, { once: true })
      this.waiters.add(waiter)
      this.advance()
    })
  }

  /** Enters at once with nothing: what it holds later others have to make way for, or it itself. */
  open(guest: Guest): Stay {
    return this.admit(guest, 0)
  }

  private admit(guest: Guest, amount: number): Stay {
    const holder = { guest, since: performance.now(), amount: 0, moved: 0 }
    this.holders.add(holder)
    this.count(guest.peer, 1)
    this.change(holder, amount)
    return {
      moved: (amount) => {
        holder.moved += amount
      },
      hold: (amount) => {
        if (!this.holders.has(holder)) return
        this.change(holder, amount)
        for (let level = this.overfull(); level !== undefined; level = this.overfull()) {
          const rank = level
          const worst = this.worst([...this.holders].filter(({ guest, amount }) => guest.rank <= rank && amount > 0))
          if (worst !== undefined) this.end(worst)
        }
      },
      leave: () => {
        this.remove(holder)
        this.advance()
      },
    }
  }

  private advance(): void {
    clearTimeout(this.timer)
    for (;;) {
      const waiting = [...this.waiters].sort((a, b) => this.inOrder(a.guest, b.guest))
      const [first] = waiting
      if (first === undefined) return
      const next = waiting.find((waiter) => this.fits(waiter) || this.makeWay(waiter))
      if (next === undefined) break
      this.waiters.delete(next)
      this.noteServed(next.guest.peer)
      next.enter(this.admit(next.guest, next.amount))
    }
    this.lookAgain()
  }

  /** Somebody who may not be asked to go yet may be soon. */
  private lookAgain(): void {
    if (this.sliceMs === Number.POSITIVE_INFINITY) return
    const now = performance.now()
    const left = [...this.holders].map(({ since }) => since + this.sliceMs - now).filter((ms) => ms > 0)
    if (left.length > 0) this.timer = setTimeout(() => this.advance(), Math.min(...left) + 1).unref()
  }

  private inOrder(a: Guest, b: Guest): number {
    return (
      this.staysOf(a.peer) - this.staysOf(b.peer) || (this.served.get(a.peer) ?? 0) - (this.served.get(b.peer) ?? 0)
    )
  }

  private fits({ guest, amount }: Waiter): boolean {
    return RANKS.every((rank) => rank < guest.rank || this.isWithin(rank, amount))
  }

  /** One that is alone may be larger than its share. */
  private isWithin(rank: Rank, more: number): boolean {
    const held = this.heldUpTo(rank)
    return held === 0 || held + more <= this.size * (SHARES[rank] ?? 0)
  }

  /** Ends stays that had their time, of peers with more of them than whoever waits, until there is room. */
  private makeWay(waiter: Waiter): boolean {
    const { guest, amount } = waiter
    const had = performance.now() - this.sliceMs
    const own = this.staysOf(guest.peer)
    const older = [...this.holders].filter(
      (holder) => holder.since <= had && holder.guest.rank <= guest.rank && this.staysOf(holder.guest.peer) > own,
    )
    const going: Holder[] = []
    const freed = () => going.reduce((sum, holder) => sum + holder.amount, 0)
    const isEnough = () => RANKS.every((rank) => rank < guest.rank || this.isWithin(rank, amount - freed()))
    while (!isEnough()) {
      const worst = this.worst(older.filter((holder) => !going.includes(holder)))
      if (worst === undefined) return false
      going.push(worst)
    }
    for (const holder of going) this.end(holder)
    return true
  }

  private worst(holders: readonly Holder[]): Holder | undefined {
    const now = performance.now()
    const speed = ({ moved, since }: Holder) => moved / Math.max(1, now - since)
    const [first] = [...holders].sort(
      (a, b) =>
        a.guest.rank - b.guest.rank ||
        this.staysOf(b.guest.peer) - this.staysOf(a.guest.peer) ||
        speed(a) - speed(b) ||
        a.since - b.since,
    )
    return first
  }

  /** The lowest rank up to which too much is held. */
  private overfull(): Rank | undefined {
    return RANKS.find((rank) => this.heldUpTo(rank) > this.size * (SHARES[rank] ?? 0))
  }

  private end(holder: Holder): void {
    this.remove(holder)
    holder.guest.end(new CrowdedRoomError())
  }

  private remove(holder: Holder): void {
    if (!this.holders.has(holder)) return
    this.change(holder, 0)
    this.count(holder.guest.peer, -1)
    this.holders.delete(holder)
  }

  private change(holder: Holder, amount: number): void {
    const { rank } = holder.guest
    this.byRank[rank] = (this.byRank[rank] ?? 0) + amount - holder.amount
    holder.amount = amount
  }

  private count(peer: string, more: number): void {
    const stays = this.staysOf(peer) + more
    if (stays === 0) this.stays.delete(peer)
    else this.stays.set(peer, stays)
  }

  private staysOf(peer: string): number {
    return this.stays.get(peer) ?? 0
  }

  private heldUpTo(rank: Rank): number {
    return this.byRank.slice(0, rank + 1).reduce((sum, held) => sum + held, 0)
  }

  private noteServed(peer: string): void {
    this.served.delete(peer)
    this.served.set(peer, ++this.entries)
    const oldest = this.served.keys().next()
    if (this.served.size > MAX_KEYS && oldest.done !== true) this.served.delete(oldest.value)
  }
}

class CrowdedRoomError extends Error {
  override readonly name = 'CrowdedRoomError'
  constructor() {
    super('of too many it went slowest, or had most')
  }
}
