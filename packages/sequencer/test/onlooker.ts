import { join } from 'node:path'
import { closeNode, type NodeParts, openNode } from '@kedge/node'
import { optionsOf, type Sequencer, secretOf, type Workshop } from './workshop.ts'

/** A node that only follows, with the sequencer as its peer. */
export class Onlooker {
  readonly node: NodeParts
  private readonly stopping = new AbortController()

  private constructor(node: NodeParts) {
    this.node = node
  }

  static async open(workshop: Workshop, sequencer: Sequencer, name: string): Promise<Onlooker> {
    const options = optionsOf(workshop, join(workshop.folder, name), secretOf(71))
    const p2p = { ...options.p2p, bootstrap: sequencer.node.host.addresses() }
    return new Onlooker(await openNode({ ...options, p2p }, { ownTail: () => [], mayServe: () => true }))
  }

  async turn(): Promise<void> {
    const { follower, executor, data } = this.node
    for (;;) {
      const step = await follower.step(({ events }) =>
        events.flatMap((event) => (event.kind === 'part' ? data.writesOfPart(event) : [])),
      )
      if (step.kind === 'tip') break
      if (step.kind === 'rollback') await executor.rolledBack()
    }
    await executor.advance(this.stopping.signal)
  }

  async close(): Promise<void> {
    await closeNode(this.node)
  }
}
