import { type Anchor, decodeMessage, equalBytes } from '@kedge/core'
import type { LinkIndex } from '@kedge/node'
import { intents, marks, type Store, type Write } from '@kedge/storage'
import type { OwnLink } from './plan.ts'

/**
 * The anchors this sequencer has bound itself to, and which of its batches are lost: neither live nor on their way,
 * with transfers that still have to go into a later batch. It follows from what is stored, so a crash loses nothing.
 */
export class OwnLinks {
  private readonly links: OwnLink[]
  private readonly settled: Set<number>

  private constructor(links: OwnLink[], settled: Set<number>) {
    this.links = links
    this.settled = settled
  }

  static async load(store: Store): Promise<OwnLinks> {
    const links: OwnLink[] = []
    for await (const [number, { payload }] of store.range(intents)) {
      const anchor = decodeMessage(payload)
      if (anchor?.kind !== 'batch' && anchor?.kind !== 'resume')
        throw new Error(`the stored intent ${number} is damaged`)
      links.push(linkOf(anchor))
    }
    const settled = new Set<number>()
    for (const { number } of links) if ((await store.get(marks, settledMark(number))) !== undefined) settled.add(number)
    return new OwnLinks(links, settled)
  }

  get all(): readonly OwnLink[] {
    return this.links
  }

  add(anchor: Anchor): void {
    this.links.push(linkOf(anchor))
  }

  /** Batches above the last final one that will not live, in their order. `planned`: those on their way that will. */
  lost(index: LinkIndex, above: number, planned: readonly { readonly number: number }[]): OwnLink[] {
    const onTheWay = new Set(planned.map(({ number }) => number))
    return this.links.filter(
      (link) =>
        link.kind === 'batch' &&
        link.number > above &&
        !this.settled.has(link.number) &&
        !onTheWay.has(link.number) &&
        !index.isLive(link.number, link.headerHash),
    )
  }

  /** The write that says: this batch's transfers are in a later one. */
  settle(number: number): Write {
    this.settled.add(number)
    return marks.put(settledMark(number), new Uint8Array(0))
  }

  /** A link that Bitcoin holds under one of our numbers and that is not ours: somebody else signs with our key. */
  findForeign(index: LinkIndex): number | undefined {
    const own = this.links.at(-1)
    const theirs = own && index.get(own.number)
    if (own === undefined || theirs?.headerHash === undefined || equalBytes(theirs.headerHash, own.headerHash))
      return undefined
    return own.number
  }
}

function linkOf(anchor: Anchor): OwnLink {
  return { number: anchor.number, kind: anchor.kind, headerHash: anchor.headerHash }
}

function settledMark(number: number): string {
  return `settled/${number}`
}
