import { CELL_BYTES } from './cell.ts'
import { Reader, Writer } from './codec.ts'
import { hashRecord, ZERO_HASH } from './hash.ts'
import { hashRow } from './merkle.ts'
import type { CellUpdate } from './operation.ts'
import { Rows } from './rows.ts'
import {
  decodeTotals,
  encodeTotals,
  GENESIS_TOTALS,
  stateRoot,
  TOTALS_BYTES,
  type Totals,
  writeTotals,
} from './totals.ts'
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
    const from = to === 'before' ? delta.totalsAfter : delta.totalsBefore
    if (!sameTotals(from, this.now)) throw new Error('the delta does not continue from this state')
    const totals = to === 'before' ? delta.totalsBefore : delta.totalsAfter
    const leaves = new Uint8Array(32 * delta.cells.length)
    delta.changes.forEach((change, at) => {
      const bytes = change[to]
      if (bytes === undefined) return
      this.tree.putBytes(delta.cells[at] as number, bytes)
      leaves.set(hashRecord(bytes), 32 * at)
    })
    this.tree.truncate(totals.count)
    const versions = { count: delta.cells.length, cell: delta.cells, step: new Uint32Array(delta.cells.length), leaves }
    this.tree.rehash(versions, 0, () => totals.count)
    this.now = totals
    this.sealedTotals = totals
    this.sealedRoot = stateRoot(this.tree.root(), totals)
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

/** What a batch changed: each touched cell before and after it, and the totals. */
export interface Delta {
  readonly totalsBefore: Totals
  readonly totalsAfter: Totals
  readonly cells: readonly number[]
  readonly changes: readonly { readonly before: Uint8Array | undefined; readonly after: Uint8Array }[]
}

/** Cells are views of `bytes`. @throws Error when the bytes are no delta: they are this node's own record. */
export function decodeDelta(bytes: Uint8Array): Delta {
  const reader = new Reader(bytes)
  const totalsBefore = decodeTotals(reader.fixed(TOTALS_BYTES))
  const totalsAfter = decodeTotals(reader.fixed(TOTALS_BYTES))
  const count = reader.u32()
  const cells: number[] = []
  for (let at = 0; at < count && !reader.failed; at++) cells.push(reader.cell())
  const pairs = reader.view(2 * CELL_BYTES * count)
  const existed = reader.view(count)
  if (!reader.done || totalsBefore === undefined || totalsAfter === undefined)
    throw new Error('the stored delta is damaged')
  const cellAt = (at: number) => pairs.subarray(CELL_BYTES * at, CELL_BYTES * (at + 1))
  const changes = cells.map((_, at) => ({
    before: existed[at] === 1 ? cellAt(2 * at) : undefined,
    after: cellAt(2 * at + 1),
  }))
  return { totalsBefore, totalsAfter, cells, changes }
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

  /**
   * Totals before and after, count u32, then for each touched cell, ascending: its number u64; itself before its first
   * change (zeros where that made it) and after its last; whether it was there before. Column by column, so that words
   * are copied in place.
   */
  delta(order: Uint32Array, totalsBefore: Totals, totalsAfter: Totals): Uint8Array {
    const count = this.countCells(order)
    const pairsAt = DELTA_HEAD + 8 * count
    const existedAt = pairsAt + 2 * CELL_BYTES * count
    const bytes = new Uint8Array(existedAt + count)
    const head = writeTotals(writeTotals(new Writer(pairsAt), totalsBefore), totalsAfter).u32(count)
    const pairs = Rows.over(CELL_BYTES, bytes.subarray(pairsAt, existedAt))
    let pair = -1
    let last = -1
    for (let n = 0; n < order.length; n++) {
      const at = order[n] as number
      const cell = this.cell[at] as number
      if (cell !== last) {
        pair++
        head.cell(cell)
        pairs.copy(2 * pair, this.befores, at)
        bytes[existedAt + pair] = this.created[at] ? 0 : 1
      }
      pairs.copy(2 * pair + 1, this.afters, at)
      last = cell
    }
    bytes.set(head.bytes)
    return bytes
  }

  private countCells(order: Uint32Array): number {
    let count = 0
    let last = -1
    for (let n = 0; n < order.length; n++) {
      const cell = this.cell[order[n] as number] as number
      if (cell !== last) count++
      last = cell
    }
    return count
  }
}

const DELTA_HEAD = 2 * TOTALS_BYTES + 4
