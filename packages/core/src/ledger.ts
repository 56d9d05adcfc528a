import { CELL_BYTES } from './cell.ts'
import { crossDelta, type Delta, decodeDelta } from './delta.ts'
import { ZERO_HASH } from './hash.ts'
import { hashRow } from './merkle.ts'
import type { CellUpdate } from './operation.ts'
import { Rows } from './rows.ts'
import { type HashedSteps, StepHasher, StepLog, type StepRows } from './steps.ts'
import { encodeTotals, GENESIS_TOTALS, stateRoot, type Totals } from './totals.ts'
import { CellTree } from './tree.ts'

/**
 * The ledger's state in memory: cells, their tree, totals; and the steps of one batch on top of it that are applied
 * but not yet sealed. `seal` hashes them all at once, or `cut` hands them out in runs to be hashed while more are applied,
 * until `settle` seals what came of them; `abandon` takes them back; a sealed batch is taken back by `undo` with its
 * delta.
 */
export class Ledger {
  readonly tree = new CellTree()
  private now: Totals = GENESIS_TOTALS
  private sealedRoot: Uint8Array = stateRoot(ZERO_HASH, GENESIS_TOTALS)
  /** Steps since the last cut. */
  private log = new StepLog()
  /** Steps from the last seal to the last cut, and the totals there. */
  private cutSteps = 0
  private cutTotals: Totals = GENESIS_TOTALS

  /** Totals after the last applied step. */
  get totals(): Totals {
    return this.now
  }

  /** State root of the last seal (or undo, or load): without the steps applied since. */
  get root(): Uint8Array {
    return this.sealedRoot
  }

  /** Steps since the last seal. */
  get steps(): number {
    return this.cutSteps + this.log.steps
  }

  /** Those of them that nobody was given to hash. */
  get uncut(): number {
    return this.log.steps
  }

  /** Applies one operation's outcome as the next step. */
  apply(updates: readonly CellUpdate[], totals: Totals): void {
    for (const { cell, account } of updates) {
      this.log.before(this.tree, cell)
      this.tree.put(cell, account)
      this.log.after(this.tree, cell)
    }
    this.log.endStep(totals)
    this.now = totals
  }

  /** Hashes the steps since the last seal. `roots` is the row of state roots, one after each step. */
  seal(): HashedSteps {
    if (this.cutSteps > 0) throw new Error('somebody else hashes this batch')
    const hasher = new StepHasher(this.tree.nodes, this.sealedRoot)
    hasher.add(this.cut())
    return this.settle(hasher.finish())
  }

  /**
   * Hands out the steps since the last cut, for the `StepHasher` of this batch wherever that is. From a batch's first cut
   * until `settle` the tree's nodes are the hasher's alone; steps may be applied all the time.
   */
  cut(): StepRows {
    const rows = this.log.rows(this.cutTotals)
    this.cutSteps += this.log.steps
    this.cutTotals = this.now
    this.log = new StepLog(this.log)
    return rows
  }

  /** Seals the batch with what became of all its steps. The tree's nodes must be those that the hasher left. */
  settle(hashed: HashedSteps): HashedSteps {
    if (this.log.steps > 0 || hashed.roots.length !== 32 * this.cutSteps)
      throw new Error('these are not all the steps of the batch')
    if (this.cutSteps > 0) this.sealedRoot = hashed.roots.slice(-32)
    this.sealedAt(this.now)
    return hashed
  }

  /**
   * Takes back the steps since the last seal.
   * @param hashed what became of those that were cut, where any were; nodes as for `settle`
   */
  abandon(hashed?: HashedSteps): void {
    if (hashed === undefined && this.cutSteps > 0) throw new Error('what was cut is taken back when it is hashed')
    this.log.revert(this.tree, this.cutTotals.count)
    this.log = new StepLog()
    this.now = this.cutTotals
    if (hashed !== undefined) this.undo(this.settle(hashed).delta)
  }

  private sealedAt(totals: Totals): void {
    this.now = totals
    this.cutTotals = totals
    this.cutSteps = 0
  }

  /** Takes back the batch that a delta came from. Nothing may have been applied since. */
  undo(delta: Uint8Array): void {
    this.move(decodeDelta(delta), 'before')
  }

  /** Applies a batch again from its delta, without its operations. */
  redo(delta: Uint8Array): void {
    this.move(decodeDelta(delta), 'after')
  }

  private move(delta: Delta, to: 'before' | 'after'): void {
    if (this.steps > 0) throw new Error('the ledger has steps that are not sealed')
    const [from, totals] =
      to === 'before' ? [delta.totalsAfter, delta.totalsBefore] : [delta.totalsBefore, delta.totalsAfter]
    if (!sameTotals(from, this.now)) throw new Error('the delta does not continue from this state')
    const { tree } = this
    const cells = new Rows(CELL_BYTES, delta.cells.length)
    delta.cells.forEach((cell, at) => {
      if (cell < from.count) tree.copyTo(cells, at, cell)
    })
    crossDelta(delta, cells)
    const leaves = hashRow(cells.bytes)
    delta.cells.forEach((cell, at) => {
      if (cell < totals.count) tree.putBytes(cell, cells.run(at, 1))
      else leaves.fill(0, 32 * at, 32 * (at + 1))
    })
    tree.truncate(totals.count)
    const step = new Uint32Array(delta.cells.length)
    tree.rehash({ count: delta.cells.length, cell: delta.cells, step, leaves }, 0, () => totals.count)
    this.sealedAt(totals)
    this.sealedRoot = stateRoot(tree.root(), totals)
  }

  /** Starts from stored cells: pages of 64-byte cells, in order. @throws Error when they don't match the totals. */
  load(pages: Iterable<Uint8Array>, totals: Totals): void {
    let cell = 0
    for (const page of pages) {
      for (let at = 0; at < page.length && cell < totals.count; at += CELL_BYTES)
        this.tree.putBytes(cell++, page.subarray(at, at + CELL_BYTES))
    }
    if (cell !== totals.count)
      throw new Error(`the stored pages hold ${cell} cells where the totals say ${totals.count}`)
    this.tree.rehashAll()
    this.sealedAt(totals)
    this.sealedRoot = stateRoot(this.tree.root(), totals)
  }
}

function sameTotals(a: Totals, b: Totals): boolean {
  const [left, right] = [encodeTotals(a), encodeTotals(b)]
  return left.every((byte, at) => byte === right[at])
}
