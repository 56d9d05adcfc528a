import { setTimeout as sleep } from 'node:timers/promises'
import { findStaleness } from '@kedge/bond'
import { decodeReceipt, nonceRootOf, type Params, type Receipt, tickMessage } from '@kedge/core'
import { isTickSigned, type NodeParts } from '@kedge/node'
import type { OwnLinks } from './own-links.ts'
import type { Slots } from './slots.ts'
import { StaleDataError } from './stale.ts'

export interface WitnessParts {
  readonly node: Pick<NodeParts, 'follower' | 'host' | 'network' | 'options'>
  readonly params: Params
  readonly own: Pick<OwnLinks, 'takenUpTo'>
  readonly slots: Pick<Slots, 'lineOf' | 'newest'>
  /** The operator vouches that the data are the newest, where no peer does. */
  readonly signAlone: boolean
}

/** Peers that are there at a start have this long to answer before anything is signed on another's word. */
const ANSWER_MS = 1_000

/** A peer that gave no answer is asked again after this; one that has none to give, after the longer. */
const AGAIN_MS = 1_000
const LONG_MS = 60_000

/** Where a sequencer may sign alone, peers have this long to come: each of them has dialled a restarted node by then. */
const RETURN_MS = 3_000

/** Between two complaints that nobody is there. */
const TELL_MS = 60_000

/** `asked` since the time, ms of `performance.now`; `silent` until it is asked again; `answered`, whatever it said. */
type Standing = 'asked' | 'answered' | { readonly silentUntil: number }

/**
 * Peers are told of each tick before its receipt leaves. Each is asked, once it is connected, for the newest that it knows:
 * one that this sequencer does not know of shows that its data are not the newest. Data that know of slots can be old
 * however they look, so after a start nothing is signed before a peer has answered. A peer that knows of no tick has
 * answered too: else a network whose nodes were all restarted would stand still.
 */
export class Witnesses {
  private readonly parts: WitnessParts
  private readonly since = performance.now()
  private readonly standings = new Map<string, Standing>()
  private readonly asking = new Set<Promise<void>>()
  private isHeard: boolean
  private toldAt = Number.NEGATIVE_INFINITY
  private found: StaleDataError | undefined
  private failure: unknown

  constructor(parts: WitnessParts) {
    this.parts = parts
    // Bound to nothing: it begins with a resume, whose table nobody has seen.
    this.isHeard = parts.slots.newest === undefined
  }

  /** Whether one has answered since the start, or none is needed. */
  get areHeard(): boolean {
    return this.isHeard
  }

  /**
   * Whether to sign on, as far as peers know: false until the first of them has answered.
   * @throws StaleDataError, and what asking peers threw since the last look
   */
  async haveNothingNewer(signal: AbortSignal): Promise<boolean> {
    this.askAll(signal)
    this.isHeard ||= await this.hear()
    const fault = this.failure ?? this.found
    if (fault !== undefined) throw fault
    return this.isHeard
  }

  private askAll(signal: AbortSignal): void {
    const { host } = this.parts.node
    const connected = new Set(host.peers().map(({ id }) => id))
    for (const id of this.standings.keys()) if (!connected.has(id)) this.standings.delete(id)
    for (const id of connected) {
      const standing = this.standings.get(id)
      if (typeof standing === 'string' || (standing && performance.now() < standing.silentUntil)) continue
      const asking = this.ask(id, signal).finally(() => this.asking.delete(asking))
      this.asking.add(asking)
    }
  }

  private async hear(): Promise<boolean> {
    if (this.asking.size > 0)
      await Promise.race([Promise.all(this.asking), sleep(ANSWER_MS, undefined, { ref: false })])
    if ([...this.standings.values()].includes('answered')) return true
    const { signAlone, node } = this.parts
    const waited = performance.now() - this.since
    if (waited < RETURN_MS) return false
    if (signAlone) {
      node.options.log.warn('no peer is there that could know of newer promises: signing alone, as the disk has it')
      return true
    }
    if (performance.now() - this.toldAt >= TELL_MS) {
      this.toldAt = performance.now()
      node.options.log.warn(
        'nothing is signed yet: no peer has said that this data folder is the newest. Start a challenger that knows this ' +
          'node as p2p.bootstrap, or name one there; if none is to be had, and no older copy was restored: --sign-alone',
      )
    }
    return false
  }

  /** Never rejects. */
  private async ask(peer: string, signal: AbortSignal): Promise<void> {
    const { standings } = this
    standings.set(peer, 'asked')
    try {
      const response = await this.parts.node.host.askForTick(peer, signal)
      const { status } = response
      const isAnswer = status === 'unknown' || (response.status === 'found' && this.take(response.body))
      const wait = status === 'busy' || status === 'silent' || status === 'failed' ? AGAIN_MS : LONG_MS
      if (standings.has(peer)) standings.set(peer, isAnswer ? 'answered' : { silentUntil: performance.now() + wait })
    } catch (error) {
      // At a stop nobody asks any more.
      if (!signal.aborted) this.failure = error
    }
  }

  private take(bytes: Uint8Array): boolean {
    const { params, node } = this.parts
    const receipt = decodeReceipt(bytes)
    if (receipt === undefined || !isTickSigned(params, node.network, receipt)) return false
    this.found ??= this.judge(receipt)
    return true
  }

  private judge(receipt: Receipt): StaleDataError | undefined {
    const { params, node, slots, own } = this.parts
    const { tick } = receipt
    const shown = `a peer has tick ${tick.index} of batch ${tick.number}`
    const { newest } = slots
    // What a lost disk may have promised is passed over by resumes.
    if (newest === undefined || tick.number <= own.takenUpTo(node.follower.chain.link.number)) return undefined
    if (tick.number > newest) return new StaleDataError(`${shown}, and it knows of no slots behind batch ${newest}`)
    const line = slots.lineOf(tick.number)
    const root = nonceRootOf(params.caps.ticks, receipt)
    // Of older batches nothing is kept: their headers' slots are used up.
    if (line === undefined || root === undefined) return undefined
    const stale = findStaleness(line, tick.index, tickMessage(node.network, tick, root))
    return stale && new StaleDataError(`${shown}, which is not the one it knows`, { cause: stale })
  }
}
