import { randomBytes } from 'node:crypto'
import type { Waiting } from '@kedge/commitment'
import { decodeHeader, networkId, type Params, type Receipt } from '@kedge/core'
import type { HeldEvidence, NodeParts } from '@kedge/node'
import { BondGuard } from './bond-guard.ts'
import { BondWatcher } from './bond-watcher.ts'
import type { Witnessed } from './innocence.ts'
import { KeptTicks } from './kept-ticks.ts'
import type { AskBond } from './slash.ts'
import { SlotWatch } from './slot-watch.ts'

/** What a challenger does about the bond: each guards it, and one with a watcher's key answers for it. */

/** Messages about the bond come from peers before the node that answers them is there. */
export class BondDesk {
  private watcher: BondWatcher | undefined

  /** Undefined for what this node has nothing to say to. */
  readonly answer = async (message: Uint8Array): Promise<Uint8Array | undefined> => this.watcher?.answer(message)

  /** @param secret the watcher's */
  async open(node: NodeParts, secret: Uint8Array): Promise<void> {
    const random = () => Uint8Array.from(randomBytes(32))
    const watched = { ...witnessedBy(node), store: node.store, random }
    this.watcher = await BondWatcher.load(node.options.params, watched, secret)
  }
}

function witnessedBy({ follower }: NodeParts): Witnessed {
  return {
    chain: () => follower.chain,
    link: (number) => follower.links.get(number),
    blockHash: (height) => follower.facts.blockHash(height),
    hasLeft: (hash) => follower.left.has(hash),
  }
}

/** What the slot key was heard to sign: peers tell it before the node that keeps it is there. */
export class Heard {
  readonly slots: SlotWatch
  readonly kept: KeptTicks
  private readonly isBonded: boolean

  constructor(params: Params) {
    this.slots = new SlotWatch(params.keys.slot)
    this.kept = new KeptTicks(params, networkId(params), this.slots)
    this.isBonded = params.bond !== undefined
  }

  /** Without a bond nobody could do anything with it. */
  readonly take = (receipt: Receipt): boolean => !this.isBonded || this.kept.take(receipt)

  /** With what was heard before a restart. */
  async load({ store, follower }: NodeParts): Promise<void> {
    await this.kept.load(store, (height) => follower.facts.blockHash(height))
    await this.slots.load(store)
  }
}

export interface BondRole {
  /** What is to be done at each turn of the node's loop. */
  act(signal: AbortSignal): Promise<void>
  waiting(): readonly Waiting[]
  evidence(): readonly HeldEvidence[]
  /** Before the store is closed. */
  close(): Promise<void>
}

export async function guardBond(node: NodeParts, desk: BondDesk, heard: Heard): Promise<BondRole> {
  await heard.load(node)
  const guard = guardOf(node, desk, heard)
  node.host.subscribe((bytes) => guard.note(decodeHeader(bytes)))
  const noteAnchored = anchoredReader(node, guard)
  return {
    act: async (signal) => {
      await noteAnchored()
      await guard.act(node.follower.chain, signal)
    },
    waiting: () => guard.waiting,
    evidence: () => guard.evidence,
    close: async () => void (await guard.write()),
  }
}

/** Asks the other watchers, and this node's own, where it is one. */
function guardOf(parts: NodeParts, desk: BondDesk, { slots, kept }: Heard): BondGuard {
  const { host, coins, store } = parts
  const { params, rpc, maxFeeRate, log } = parts.options
  const ask: AskBond = async (message, signal) => {
    const [others, own] = await Promise.all([host.askBond(message, signal), desk.answer(message)])
    return own === undefined ? others : [...others, own]
  }
  const node = witnessedBy(parts)
  return new BondGuard({ params, rpc, script: coins.script, maxFeeRate, node, store, slots, kept, ask, log })
}

/** Headers that the guard reads at one turn of the loop: a node that starts has many. */
const NOTED_AT_ONCE = 50

/** Shows the guard the headers of anchored batches, each once: what was announced is gone after a restart. */
function anchoredReader({ follower, data }: NodeParts, guard: BondGuard): () => Promise<void> {
  let noted = 0
  return async () => {
    for (let left = NOTED_AT_ONCE; left > 0; left--) {
      const link = follower.links.get(noted + 1)
      const header = link?.outcome === 'batch' ? await data.header(link.headerHash as Uint8Array) : undefined
      // A batch whose header is not there yet is waited for, unless it is void.
      if (link === undefined || (link.outcome === 'batch' && header === undefined && link.voided === undefined)) return
      guard.note(header)
      noted += 1
    }
  }
}
