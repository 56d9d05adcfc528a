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

/** Peers that are there at a start have this long to answer before anything is signed. */
const ANSWER_MS = 1_000

/** And where something was signed before, one has this long to come: each of them has dialled a restarted node by then. */
const RETURN_MS = 3_000

/**
 * Peers through whom payments went have seen ticks. Each is asked once, when it is connected, for the newest one of the
 * batch that comes next here: one that this sequencer does not know of shows that its data are not the newest. Only a
 * start waits, for peers and for their answers, so that strangers who give none don't hold up anything.
 */
export class Witnesses {
  private readonly parts: WitnessParts
  private readonly since = performance.now()
  private readonly asked = new Set<string>()
  private asking: Promise<void> | undefined
  private isHeard = false
  private found: StaleDataError | undefined
  private failure: unknown

  constructor(parts: WitnessParts) {
    this.parts = parts
  }

  /**
   * Whether to sign on, as far as peers know: false while a start waits for the first of them.
   * @throws StaleDataError, and what asking peers threw since the last look
   */
  async haveNothingNewer(plan: Plan, signal: AbortSignal): Promise<boolean> {
    const fresh = this.parts.node.host.peers().filter(({ id }) => !this.asked.has(id))
    if (fresh.length > 0 && this.asking === undefined) {
      for (const { id } of fresh) this.asked.add(id)
      this.asking = this.ask(plan, signal).finally(() => {
        this.asking = undefined
      })
    }
    this.isHeard ||= await this.hear(plan)
    const fault = this.failure ?? this.found
    if (fault !== undefined) throw fault
    return this.isHeard
  }

  private async hear({ lastNumber }: Plan): Promise<boolean> {
    const { node, slots } = this.parts
    if (this.asking !== undefined) await Promise.race([this.asking, sleep(ANSWER_MS, undefined, { ref: false })])
    if (this.asked.size > 0 || (slots.lineOf(lastNumber + 1)?.next ?? 0) === 0) return true
    const isOver = performance.now() - this.since >= RETURN_MS
    if (isOver) node.options.log.warn('no peer is there that could know of newer promises: going on as the disk has it')
    return isOver
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
