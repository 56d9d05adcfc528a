import { MAX_KEYS } from './admission.ts'

/**
 * What a connected peer did that was of use: it `asked` for what this node had, passed on news that were new, or `gave`
 * what this node had asked for and could check. News prove little, and so rank with asking.
 */
export type Use = 'asked' | 'gave'

/** A connection that a stranger opened. */
export interface Guest {
  readonly peer: string
  /** Milliseconds since 1970. */
  readonly since: number
}

const RANK: Readonly<Record<Use, number>> = { asked: 1, gave: 2 }

/**
 * Who keeps a place among the connections that strangers opened. Places cost a stranger nothing, so whoever holds one
 * without any use of it must not keep others out: when all are taken, a newcomer takes the place of the peer that gave
 * least, and among equals of the one that has been idle for longest.
 */
export class Places {
  /** Of the `MAX_KEYS` peers that were of use last, in that order; who comes back is still known. */
  private readonly uses = new Map<string, { readonly rank: number; readonly at: number }>()

  /** `now` in milliseconds since 1970. */
  note(peer: string, use: Use, now: number): void {
    const rank = Math.max(RANK[use], this.uses.get(peer)?.rank ?? 0)
    this.uses.delete(peer)
    this.uses.set(peer, { rank, at: now })
    const oldest = this.uses.keys().next()
    if (this.uses.size > MAX_KEYS && oldest.done !== true) this.uses.delete(oldest.value)
  }

  /** Whether it gave what this node had asked for, as far as is known. */
  hasGiven(peer: string): boolean {
    return this.uses.get(peer)?.rank === RANK.gave
  }

  /** The one that has to go first. Undefined where there is none. */
  leastUseful<G extends Guest>(guests: readonly G[]): G | undefined {
    const standing = ({ peer, since }: Guest) => this.uses.get(peer) ?? { rank: 0, at: since }
    const [first] = [...guests].sort((a, b) => {
      const [left, right] = [standing(a), standing(b)]
      return left.rank - right.rank || left.at - right.at
    })
    return first
  }
}
