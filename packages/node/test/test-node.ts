import { operations } from '@kedge/storage'
import type { QueriedNode } from '../src/query-context.ts'
import type { Built } from './ground.ts'

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
}
