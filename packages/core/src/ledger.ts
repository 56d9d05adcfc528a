import { CELL_BYTES } from './cell.ts'
import { crossDelta, type Delta, decodeDelta } from './delta.ts'
import { ZERO_HASH } from './hash.ts'
import { hashRow } from './merkle.ts'
import type { CellUpdate } from './operation.ts'
import { Rows } from './rows.ts'
import { type HashedSteps, hashSteps, StepLog, type StepRows } from './steps.ts'
import { encodeTotals, GENESIS_TOTALS, stateRoot, type Totals } from './totals.ts'
import { CellTree } from './tree.ts'

/**
 * The ledger's state in memory: cells, their tree, totals; and the steps of one batch on top of it that are applied
 * but not yet hashed. `seal` hashes them all at once; `abandon` takes them back; a sealed batch is taken back by
 * `undo` with its delta.
 */
export class Ledger {
  readonly tree = new CellTree()
  private now: Totals = GENESIS_TOTALS
  private sealedTotals: Totals = GENESIS_TOTALS
  private sealedRoot: Uint8Array = stateRoot(ZERO_HASH, GENESIS_TOTALS)
  private log = new StepLog()
  private isCut = false

  /** Totals after the last applied step. */
  get totals(): Totals {
    return this.now
  }

  /** State root of the last seal (or undo, or load): without the steps applied since. */
  get root(): Uint8Array {
    return this.sealedRoot
  }

  get steps(): number {
    return this.log.steps
  }

  /** Applies one operation's outcome as the next step. */
  apply(updates: readonly CellUpdate[], totals: Totals): void {
    this.refuseWhileCut()
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
    return this.settle(hashSteps(this.tree.nodes, this.cut()))
  }

  /**
   * Hands out the steps since the last seal, to be hashed wherever that is done. Until `settle` nothing may be applied,
   * and the tree's nodes are whoever hashes'.
   */
  cut(): StepRows {
    this.refuseWhileCut()
    this.isCut = true
    return this.log.rows(this.sealedTotals, this.sealedRoot)
  }

  settle(hashed: HashedSteps): HashedSteps {
    if (!this.isCut) throw new Error('no steps are being hashed')
    this.isCut = false
    if (this.log.steps > 0) this.sealedRoot = hashed.roots.slice(-32)
    this.sealedTotals = this.now
    this.log = new StepLog(this.log)
    return hashed
  }

  /** Takes back the steps since the last seal. */
  abandon(): void {
    this.refuseWhileCut()
    this.log.revert(this.tree, this.sealedTotals.count)
    this.now = this.sealedTotals
    this.log = new StepLog()
  }

  private refuseWhileCut(): void {
    if (this.isCut) throw new Error('the steps of a batch are being hashed')
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
    this.refuseWhileCut()
    if (this.log.steps > 0) throw new Error('the ledger has steps that are not sealed')
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
    this.now = totals
    this.sealedTotals = totals
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
    this.now = totals
    this.sealedTotals = totals
    this.sealedRoot = stateRoot(this.tree.root(), totals)
  }
}

function sameTotals(a: Totals, b: Totals): boolean {
  const [left, right] = [encodeTotals(a), encodeTotals(b)]
  return left.every((byte, at) => byte === right[at])
}
