import { concatBytes, toHex } from '../../src/bytes.ts'
import type { L1Transaction } from '../../src/l1.ts'
import { encodeWhole } from '../../src/publication.ts'
import { partTransaction } from '../bitcoin.ts'
import { type Json, toJson } from '../corpus/json.ts'
import { fundedRollup } from '../economy.ts'
import { FullNode, type Served } from '../full-node.ts'
import type { Batch, Rollup } from '../rollup.ts'
import { say } from '../trace.ts'

/** A sequencer, Bitcoin, and nodes that check everything and act when they must. */
export class Play {
  readonly rollup: Rollup
  readonly peers = new Map<string, Served>()
  readonly nodes: FullNode[] = []
  private asked: L1Transaction[] = []
  /** What nodes put on Bitcoin. */
  private readonly sent = new Set<string>()

  constructor(cells = 5) {
    this.rollup = fundedRollup(cells).rollup
    for (const batch of this.rollup.batches) this.serve(batch)
  }

  /** Peers have this of the batch; by default all. */
  serve(batch: Batch, served: Served = batch): void {
    this.peers.set(toHex(batch.hash), served)
  }

  /** A node that begins now and catches up; with peers of its own, if they are others. */
  join(peers = this.peers): FullNode {
    const node = new FullNode(peers)
    for (const block of this.rollup.bitcoin.blocks) this.asked = node.follow(block)
    this.nodes.push(node)
    return node
  }

  /** Mines a block: these transactions, then those that the nodes asked for after the block before. */
  mine(...transactions: readonly L1Transaction[]): string[] {
    for (const { txid } of this.asked) this.sent.add(toHex(txid))
    return this.mineWithout(...transactions, ...this.asked)
  }

  /** Mines a block that has no room for what the nodes asked for. */
  mineWithout(...transactions: readonly L1Transaction[]): string[] {
    const events = this.rollup.mine(...transactions)
    const block = this.rollup.bitcoin.block(this.rollup.bitcoin.height)
    this.asked = this.nodes.flatMap((node) => node.follow(block))
    for (const node of this.nodes) node.share(this.peers)
    return events.map(say)
  }

  mineUpTo(height: number): string[] {
    const said: string[] = []
    while (this.rollup.bitcoin.height < height) said.push(...this.mine())
    return said
  }

  /**
   * Bitcoin drops the blocks above `height`; every node goes back with it. Gives what they held, but for coinbases. What
   * nodes had put there waits for the next block again.
   */
  reorganise(height: number): L1Transaction[][] {
    const dropped = this.rollup.reorganise(height).map(({ transactions }) => transactions.slice(1))
    for (const node of this.nodes) node.rewind(height)
    this.asked = [...dropped.flat().filter(({ txid }) => this.sent.has(toHex(txid))), ...this.asked]
    return dropped
  }

  /** What a node that begins now with an empty disk comes to. */
  stateOfNewcomer(): Uint8Array {
    const node = new FullNode(this.peers)
    for (const block of this.rollup.bitcoin.blocks) node.follow(block)
    return concatBytes(node.state, new TextEncoder().encode(JSON.stringify(describe(node))))
  }

  stateOf(node: FullNode): Uint8Array {
    return concatBytes(node.state, new TextEncoder().encode(JSON.stringify(describe(node))))
  }
}

function describe({ chain }: FullNode): Json {
  return toJson(chain)
}

export const answerOf = (batch: Batch, kind: 'data' | 'steps'): L1Transaction =>
  partTransaction(batch.hash, kind, encodeWhole(kind, batch))
