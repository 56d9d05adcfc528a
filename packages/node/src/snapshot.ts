import { decodeDelta, decodeTotals, encodeTotals, type Ledger, Reader, Writer } from '@kedge/core'
import { DamagedError, marks, pages, type Store, type Write } from '@kedge/storage'

/** Where the ledger stands. Number 0 and zeros at genesis. */
export interface Head {
  readonly number: number
  readonly headerHash: Uint8Array
}

/** Cells in a page: 16 KiB. */
const PAGE_CELLS = 256

/** Batches between two snapshots: what a restart replays from deltas at most. */
const BATCHES_BETWEEN = 64

const TOTALS_BYTES = 64

/**
 * The ledger's cells on disk, as of one batch. Only pages that changed since are written, with the name of the batch
 * in the same commit; deltas lead from there to any other batch.
 */
export class Snapshot {
  private readonly store: Store
  private readonly ledger: Ledger
  private readonly dirty = new Set<number>()
  private batches = 0

  constructor(store: Store, ledger: Ledger) {
    this.store = store
    this.ledger = ledger
  }

  /** The batch that the stored cells belong to; undefined when there is none yet. */
  async load(): Promise<Head | undefined> {
    const mark = await this.store.get(marks, 'snapshot')
    if (mark === undefined) return undefined
    const { head, totals } = decodeMark(mark)
    const stored: Uint8Array[] = []
    for await (const [, page] of this.store.range(pages)) stored.push(page)
    this.ledger.load(stored, totals)
    return head
  }

  /** A batch was applied or taken back; `delta` names the cells. */
  async changed(head: Head, delta: Uint8Array): Promise<void> {
    for (const cell of decodeDelta(delta).cells) this.dirty.add(Math.floor(cell / PAGE_CELLS))
    this.batches++
    if (this.batches >= BATCHES_BETWEEN) await this.flush(head)
  }

  /** The ledger must stand exactly at `head`, with nothing applied behind it. */
  async flush(head: Head): Promise<void> {
    if (this.batches === 0) return
    if (this.ledger.steps > 0) return
    const { tree, totals } = this.ledger
    const writes = [...this.dirty].map((page): Write => {
      const cells = tree.page(page * PAGE_CELLS, PAGE_CELLS)
      return cells.length === 0 ? pages.del(page) : pages.put(page, cells)
    })
    await this.store.commit([...writes, marks.put('snapshot', encodeMark(head, encodeTotals(totals)))])
    this.dirty.clear()
    this.batches = 0
  }
}

function encodeMark(head: Head, totals: Uint8Array): Uint8Array {
  return new Writer().u32(head.number).hash(head.headerHash).fixed(totals, TOTALS_BYTES).bytes
}

function decodeMark(bytes: Uint8Array) {
  const reader = new Reader(bytes)
  const head: Head = { number: reader.u32(), headerHash: reader.hash() }
  const totals = decodeTotals(reader.fixed(TOTALS_BYTES))
  if (!reader.done || totals === undefined) throw new DamagedError('the mark of the last snapshot can’t be read')
  return { head, totals }
}
