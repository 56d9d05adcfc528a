import type { Submitter } from './intake.ts'

/** Addresses cost little where there is IPv6: only those used last are kept. */
const MAX_ADDRESSES = 4096

/** Rows: what good or bad was done before these does not count any more. */
const MOST_GOOD = 64
const MOST_BAD = 8192

/** An address has another's users before long. */
const MEMORY_MS = 60_000

/**
 * `new`: nothing is known. `stranger`: nothing is known of the connection, and nothing good of its address, which may be
 * that of many people. So is a peer that nothing good is known of: it may pass on what many people sign.
 */
export type Standing = 'trusted' | 'new' | 'stranger' | 'doubtful'

/**
 * For whom signatures were checked in vain: of operations that carried none, or could not stand. Counts one up for each
 * row that was taken and one down for each that was not.
 */
export class Wasted {
  private readonly connections = new WeakMap<object, number>()
  /** In the order in which they were heard of. */
  private readonly addresses = new Map<string, { readonly score: number; readonly at: number }>()

  /** Whether no address was heard of. */
  get isEmpty(): boolean {
    return this.addresses.size === 0
  }

  standingOf({ connection, address }: Submitter, now: number): Standing {
    const known = connection && this.connections.get(connection)
    if (known !== undefined) return known < 0 ? 'doubtful' : 'trusted'
    const score = this.scoreOf(address, now)
    if (score >= 0) return score > 0 ? 'trusted' : 'new'
    return 'stranger'
  }

  note({ connection, address }: Submitter, taken: number, inVain: number, now: number): void {
    const add = (score: number) => Math.max(-MOST_BAD, Math.min(MOST_GOOD, score + taken - inVain))
    if (connection !== undefined) this.connections.set(connection, add(this.connections.get(connection) ?? 0))
    const score = add(this.scoreOf(address, now))
    this.addresses.delete(address)
    this.addresses.set(address, { score, at: now })
    const [oldest] = this.addresses.keys()
    if (this.addresses.size > MAX_ADDRESSES && oldest !== undefined) this.addresses.delete(oldest)
  }

  private scoreOf(address: string, now: number): number {
    const known = this.addresses.get(address)
    return known === undefined || now - known.at > MEMORY_MS ? 0 : known.score
  }
}
