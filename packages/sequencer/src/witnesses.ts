import { setTimeout as sleep } from 'node:timers/promises'
import { findStaleness } from '@kedge/bond'
import { decodeReceipt, nonceRootOf, type Params, type Receipt, tickMessage } from '@kedge/core'
import { isTickSigned, type NodeParts } from '@kedge/node'
import type { Plan } from './plan.ts'
import type { Slots } from './slots.ts'
import { StaleDataError } from './stale.ts'

export interface WitnessParts {
  readonly node: Pick<NodeParts, 'data' | 'host' | 'network' | 'options'>
  readonly params: Params
  readonly slots: Slots
}

/** At the first look nothing is signed before the peers that are there have answered, or are slow. */
const FIRST_MS = 1_000

/** Nor, where something was signed before, until a peer is there: in so long each of them has dialled a restarted node. */
const RETURN_MS = 3_000
const LOOK_MS = 50

/**
 * Peers through whom payments went have seen ticks. Each is asked once, when it is connected, for the newest one of the
 * batch that comes next here: one that this sequencer does not know of shows that its data are not the newest. Only the
 * first look waits, for peers and for their answers, so that strangers who give none don't hold up anything.
 */
export class Witnesses {
  private readonly parts: WitnessParts
  private readonly asked = new Set<string>()
  private asking: Promise<void> | undefined
  private isFirst = true
  private found: StaleDataError | undefined
  private failure: unknown

  constructor(parts: WitnessParts) {
    this.parts = parts
  }

  /** @throws what asking peers threw since the last look */
  async findStaleData(plan: Plan, signal: AbortSignal): Promise<StaleDataError | undefined> {
    if (this.isFirst && this.hasSigned(plan)) await this.somebodyIsThere(signal)
    const fresh = this.parts.node.host.peers().filter(({ id }) => !this.asked.has(id))
    if (fresh.length > 0 && this.asking === undefined) {
      for (const { id } of fresh) this.asked.add(id)
      this.asking = this.ask(plan, signal).finally(() => {
        this.asking = undefined
      })
    }
    if (this.isFirst) await Promise.race([this.asking, sleep(FIRST_MS, undefined, { ref: false })])
    this.isFirst = false
    if (this.failure !== undefined) throw this.failure
    return this.found
  }

  private hasSigned({ lastNumber }: Plan): boolean {
    return (this.parts.slots.lineOf(lastNumber + 1)?.next ?? 0) > 0
  }

  private async somebodyIsThere(signal: AbortSignal): Promise<void> {
    const { host, options } = this.parts.node
    const until = performance.now() + RETURN_MS
    while (host.peers().length === 0 && !signal.aborted) {
      if (performance.now() > until)
        return options.log.warn('no peer is there that could know of newer promises: going on with what the disk says')
      await sleep(LOOK_MS)
    }
  }

  /** Never rejects. */
  private async ask({ head }: Plan, signal: AbortSignal): Promise<void> {
    const { params, node } = this.parts
    const accept = (bytes: Uint8Array) => {
      const receipt = decodeReceipt(bytes)
      if (receipt === undefined || !isTickSigned(params, node.network, receipt)) return false
      this.found ??= this.judge(receipt)
      return this.found === undefined ? 'more' : true
    }
    try {
      await node.data.askForTicks(head.headerHash, signal, accept)
    } catch (error) {
      // At a stop nobody asks any more.
      if (!signal.aborted) this.failure = error
    }
  }

  private judge(receipt: Receipt): StaleDataError | undefined {
    const { params, node, slots } = this.parts
    const { tick } = receipt
    const shown = `a peer has tick ${tick.index} of batch ${tick.number}`
    const line = slots.lineOf(tick.number)
    const root = nonceRootOf(params.caps.ticks, receipt)
    // Of older batches nothing is kept: their headers' slots are used up. Of later ones Bitcoin knows more than a peer.
    if (line === undefined || root === undefined) return undefined
    const stale = findStaleness(line, tick.index, tickMessage(node.network, tick, root))
    return stale && new StaleDataError(`${shown}, which is not the one it knows`, { cause: stale })
  }
}
