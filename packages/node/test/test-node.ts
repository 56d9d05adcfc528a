import { publicKeyOf } from '@kedge/bitcoin'
import { Publisher, Purse } from '@kedge/commitment'
import { operations } from '@kedge/storage'
import { accuse } from '../src/accuse.ts'
import { ChallengeTurns } from '../src/challenge-turns.ts'
import type { QueriedNode } from '../src/query-context.ts'
import type { Built } from './ground.ts'

/** Owns the node's coins. */
export const NODE_SECRET = new Uint8Array(32).fill(60)

/** A node that follows when a test says so. */
export class TestNode {
  readonly queried: QueriedNode

  constructor(queried: QueriedNode) {
    this.queried = queried
  }

  /** Follows Bitcoin to its tip, then the batches. */
  async advance(): Promise<void> {
    await this.follow()
    await this.queried.executor.advance(new AbortController().signal)
  }

  /** Follows Bitcoin to its tip: the batches stay behind. */
  async follow(): Promise<void> {
    const { follower, executor, data } = this.queried
    for (;;) {
      const step = await follower.step(({ events }) =>
        events.flatMap((event) => (event.kind === 'part' ? data.writesOfPart(event) : [])),
      )
      if (step.kind === 'tip') break
      if (step.kind === 'rollback') await executor.rolledBack()
    }
  }

  /** As a sequencer does: the batch is on disk and in its ledger before Bitcoin has it. */
  async adopt({ number, hash, bytes, sealed, wholes }: Built): Promise<void> {
    const { store, executor } = this.queried
    await store.commit(
      executor.writesOf(hash, bytes, sealed, { ...wholes, operations: [operations.put(hash, wholes.data)] }),
    )
    executor.ledger.redo(sealed.delta)
    await executor.adopt({ number, headerHash: hash }, sealed)
  }
  /** As a challenger does: what it misses, or finds wrong, is written down to be published. */
  async accuse(): Promise<void> {
    const { follower, executor, data, options } = this.queried
    const turns = new ChallengeTurns(options.rpc, options.params, publicKeyOf(NODE_SECRET))
    await accuse({ follower, executor, data, publisher: await this.publisher(), turns })
  }

  /** Of what it has on disk. Without coins. */
  async publisher(): Promise<Publisher> {
    const { store, options } = this.queried
    const log = { info: () => undefined, warn: () => undefined }
    const parts = { store, rpc: options.rpc, params: options.params, purse: new Purse(NODE_SECRET), log }
    const publisher = new Publisher({ ...parts, fees: { cap: 50, fallback: 2 } })
    await publisher.load()
    return publisher
  }
}
