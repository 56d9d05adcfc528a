import { randomBytes } from 'node:crypto'
import type { Waiting } from '@kedge/commitment'
import { decodeHeader } from '@kedge/core'
import type { NodeParts } from '@kedge/node'
import { BondGuard } from './bond-guard.ts'
import { BondWatcher } from './bond-watcher.ts'
import type { AskBond } from './slash.ts'

/** What a challenger does about the bond: each guards it, and one with a watcher's key answers for it. */

/** Messages about the bond come from peers before the node that answers them is there. */
export class BondDesk {
  private watcher: BondWatcher | undefined

  /** Undefined for what this node has nothing to say to. */
  readonly answer = async (message: Uint8Array): Promise<Uint8Array | undefined> => this.watcher?.answer(message)

  /** @param secret the watcher's */
  async open({ options, store, follower }: NodeParts, secret: Uint8Array): Promise<void> {
    const node = {
      store,
      chain: () => follower.chain,
      link: (number: number) => follower.links.get(number),
      blockHash: (height: number) => follower.facts.blockHash(height),
      random: () => Uint8Array.from(randomBytes(32)),
    }
    this.watcher = await BondWatcher.load(options.params, node, secret)
  }
}

export interface BondRole {
  /** What is to be done at each turn of the node's loop. */
  act(signal: AbortSignal): Promise<void>
  waiting(): readonly Waiting[]
}

export function guardBond(node: NodeParts, desk: BondDesk): BondRole {
  const guard = guardOf(node, desk)
  node.host.subscribe((bytes) => guard.note(decodeHeader(bytes)))
  const noteAnchored = anchoredReader(node, guard)
  return {
    act: async (signal) => {
      await noteAnchored()
      await guard.act(node.follower.chain, signal)
    },
    waiting: () => guard.waiting,
  }
}

/** Asks the other watchers, and this node's own, where it is one. */
function guardOf({ host, follower, coins, options }: NodeParts, desk: BondDesk): BondGuard {
  const { params, rpc, maxFeeRate, log } = options
  const ask: AskBond = async (message, signal) => {
    const [others, own] = await Promise.all([host.askBond(message, signal), desk.answer(message)])
    return own === undefined ? others : [...others, own]
  }
  const links = () => follower.links.newest()
  return new BondGuard({ params, rpc, script: coins.script, maxFeeRate, links, ask, log })
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
