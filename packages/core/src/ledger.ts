import { CELL_BYTES } from './cell.ts'
import { Writer } from './codec.ts'
import { crossDelta, type Delta, decodeDelta, encodeDelta } from './delta.ts'
import { ZERO_HASH } from './hash.ts'
import { hashRow } from './merkle.ts'
import type { CellUpdate } from './operation.ts'
import { Rows } from './rows.ts'
import { encodeTotals, GENESIS_TOTALS, stateRoot, TOTALS_BYTES, type Totals, writeTotals } from './totals.ts'
import { CellTree } from './tree.ts'
import { type CellVersions, sortByCell } from './versions.ts'

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
    for (const { cell, account } of updates) {
      this.log.before(this.tree, cell)
      this.tree.put(cell, account)
      this.log.after(this.tree, cell)
    }
    this.log.endStep(totals, this.tree.count)
    this.now = totals
  }

  /** Hashes the steps since the last seal. `roots` is the row of state roots, one after each step. */
  seal(): { readonly roots: Uint8Array; readonly delta: Uint8Array } {
    const log = this.log
    const order = log.order()
    const cellRoots = this.tree.rehash(log.versions(order), log.steps, (step) => log.countAfter(step))
    const roots = hashRow(interleave(cellRoots, hashRow(log.totalsRow())))
    const delta = log.delta(order, this.sealedTotals, this.now)
    if (log.steps > 0) this.sealedRoot = roots.slice(-32)
    this.sealedTotals = this.now
    this.log = new StepLog(log)
    return { roots, delta }
  }

  /** Takes back the steps since the last seal. */
  abandon(): void {
    this.log.revert(this.tree, this.sealedTotals.count)
    this.now = this.sealedTotals
    this.log = new StepLog()
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

/** Two rows of hashes as one row of pairs. */
function interleave(left: Uint8Array, right: Uint8Array): Uint8Array {
  const count = left.length / 32
  const [lefts, rights] = [Rows.over(32, left), Rows.over(32, right)]
  const pairs = new Rows(32, 2 * count)
  for (let at = 0; at < count; at++) {
    pairs.copy(2 * at, lefts, at)
    pairs.copy(2 * at + 1, rights, at)
  }
  return pairs.bytes
}

/** Every cell change since the last seal, with the cell before and after it, in growing flat rows. */
class StepLog {
  private readonly cell: number[] = []
  private readonly step: number[] = []
  private readonly created: boolean[] = []
  /** Zeros where the change created the cell. */
  private readonly befores: Rows
  private readonly afters: Rows
  private readonly totals: Writer
  private readonly counts: number[] = []

  /** With room for as many changes as the batch before had. */
  constructor(before?: StepLog) {
    this.befores = new Rows(CELL_BYTES, before?.cell.length ?? 0)
    this.afters = new Rows(CELL_BYTES, before?.cell.length ?? 0)
    this.totals = new Writer(TOTALS_BYTES * (before?.steps ?? 0))
  }

  get steps(): number {
    return this.counts.length
  }

  /** A cell is about to change, or to be created. */
  before(tree: CellTree, cell: number): void {
    const at = this.cell.length
    this.befores.reserve(at + 1)
    this.created.push(cell >= tree.count)
    if (cell < tree.count) tree.copyTo(this.befores, at, cell)
    this.cell.push(cell)
    this.step.push(this.steps)
  }

  /** It has changed. */
  after(tree: CellTree, cell: number): void {
    this.afters.reserve(this.cell.length)
    tree.copyTo(this.afters, this.cell.length - 1, cell)
  }

  endStep(totals: Totals, count: number): void {
    writeTotals(this.totals, totals)
    this.counts.push(count)
  }

  countAfter(step: number): number {
    return this.counts[step] as number
  }

  totalsRow(): Uint8Array {
    return this.totals.bytes
  }

  /** The changes cell by cell. */
  order(): Uint32Array {
    return sortByCell(this.cell)
  }

  versions(order: Uint32Array): CellVersions {
    const count = this.cell.length
    return { count, cell: this.cell, step: this.step, leaves: hashRow(this.afters.run(0, count)), order }
  }

  revert(tree: CellTree, countBefore: number): void {
    for (let at = this.cell.length - 1; at >= 0; at--) {
      if (!this.created[at]) tree.putBytes(this.cell[at] as number, this.befores.run(at, 1))
    }
    tree.truncate(countBefore)
  }

  delta(order: Uint32Array, totalsBefore: Totals, totalsAfter: Totals): Uint8Array {
    const { cell, befores, afters } = this
    return encodeDelta({ cell, befores, afters, order }, totalsBefore, totalsAfter)
  }
}
