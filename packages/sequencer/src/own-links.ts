import { MAX_UNCONFIRMED } from '@kedge/commitment'
import { decodeHeader, decodeMessage, type Header } from '@kedge/core'
import type { LinkIndex } from '@kedge/node'
import { DamagedError, headers, intents, marks, type Store, type Write } from '@kedge/storage'
import type { OwnBatch, OwnLink } from './plan.ts'

/** Links this far below the last final batch are forgotten: no reorganisation reaches them. */
const KEPT_BELOW_FINAL = 1_000

/**
 * The anchors this sequencer has bound itself to, and which of its batches are lost: neither live nor on their way,
 * with transfers that still have to go into a later batch. It follows from what is stored, so a crash loses nothing.
 */
export class OwnLinks {
  private links: OwnLink[]
  /** Numbers of lost batches whose transfers are in a later one. */
  private readonly settled: Set<number>

  private constructor(links: OwnLink[], settled: Set<number>) {
    this.links = links
    this.settled = settled
  }

  /** @throws DamagedError when a record is damaged or missing. */
  static async load(store: Store): Promise<OwnLinks> {
    const links: OwnLink[] = []
    for await (const [number, { payload }] of store.range(intents)) {
      const anchor = decodeMessage(payload)
      if (anchor?.kind === 'resume') links.push({ number, kind: 'resume', headerHash: anchor.headerHash })
      else if (anchor?.kind === 'batch') links.push(await loadBatch(store, number, anchor.headerHash))
      else throw new DamagedError(`the record of intent ${number} can’t be read`)
    }
    const settled = new Set<number>()
    for (const { number } of links) if ((await store.get(marks, settledMark(number))) !== undefined) settled.add(number)
    return new OwnLinks(links, settled)
  }

  /** The highest number; 0 in an empty folder. */
  get last(): number {
    return this.links.at(-1)?.number ?? 0
  }

  /**
   * A folder that began empty over a chain that ran: another, now lost, may have sealed as many batches as can wait for
   * a block, and promised one more on top of them. Those numbers are not to be headers'.
   * @param linked the number of Bitcoin's last link
   */
  takenUpTo(linked: number): number {
    const first = this.links[0]?.number ?? linked + 1
    return first > 1 ? first + MAX_UNCONFIRMED : 0
  }

  /** Those with a number above `number`, ascending. */
  after(number: number): readonly OwnLink[] {
    let first = this.links.length
    while (first > 0 && (this.links[first - 1] as OwnLink).number > number) first--
    return this.links.slice(first)
  }

  add(link: OwnLink): void {
    this.links.push(link)
  }

  /** Batches above the last final one that will not live, in their order. `planned`: those on their way that will. */
  lost(index: LinkIndex, final: number, planned: readonly { readonly number: number }[]): OwnBatch[] {
    return this.batchesAfter(final).filter((batch) => !this.settled.has(batch.number) && !lives(index, planned, batch))
  }

  /**
   * Batches whose transfers went into a later one, and which a reorganisation has brought back to life: should they be
   * void again, their transfers have to go into a later batch again.
   */
  revived(index: LinkIndex, final: number, planned: readonly { readonly number: number }[]): OwnBatch[] {
    return this.batchesAfter(final).filter((batch) => this.settled.has(batch.number) && lives(index, planned, batch))
  }

  /** The write that says: this batch's transfers are in a later one. */
  settle(number: number): Write {
    this.settled.add(number)
    return marks.put(settledMark(number), new Uint8Array(0))
  }

  /** The write that takes it back. */
  unsettle(number: number): Write {
    this.settled.delete(number)
    return marks.del(settledMark(number))
  }

  /** Keeps memory bounded. */
  forgetBuried(final: number): void {
    const first = this.links[0]
    if (first !== undefined && first.number < final - 2 * KEPT_BELOW_FINAL)
      this.links = this.links.filter(({ number }) => number >= final - KEPT_BELOW_FINAL)
  }

  private batchesAfter(number: number): OwnBatch[] {
    return this.after(number).filter((link) => link.kind === 'batch')
  }
}

export function ownBatchOf(header: Pick<Header, 'number' | 'parent' | 'origin'>, headerHash: Uint8Array): OwnBatch {
  const { number, parent, origin } = header
  return { kind: 'batch', number, headerHash, parent, origin }
}

async function loadBatch(store: Store, number: number, headerHash: Uint8Array): Promise<OwnBatch> {
  const bytes = await store.get(headers, headerHash)
  const header = bytes && decodeHeader(bytes)
  if (header === undefined) throw new DamagedError(`the header of batch ${number}, which was sealed here, is missing`)
  return ownBatchOf(header, headerHash)
}

function lives(index: LinkIndex, planned: readonly { readonly number: number }[], batch: OwnBatch): boolean {
  return planned.some(({ number }) => number === batch.number) || index.isLive(batch.number, batch.headerHash)
}

function settledMark(number: number): string {
  return `settled/${number}`
}
