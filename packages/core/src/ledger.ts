import { CELL_BYTES } from './cell.ts'
import { Reader, Writer } from './codec.ts'
import { hashRecord, ZERO_HASH } from './hash.ts'
import { hashRow } from './merkle.ts'
import type { CellUpdate } from './operation.ts'
import { decodeTotals, encodeTotals, GENESIS_TOTALS, stateRoot, TOTALS_BYTES, type Totals } from './totals.ts'
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
      const before = cell < this.tree.count ? this.tree.bytes(cell) : undefined
      this.tree.put(cell, account)
      this.log.add(cell, before, this.tree.page(cell, 1))
    }
    this.log.endStep(encodeTotals(totals), this.tree.count)
    this.now = totals
  }

  /** Hashes the steps since the last seal. `roots` is the row of state roots, one after each step. */
  seal(): { readonly roots: Uint8Array; readonly delta: Uint8Array } {
    const log = this.log
    const cellRoots = this.tree.rehash(log.versions(), log.steps, (step) => log.countAfter(step))
    const roots = hashRow(interleave(cellRoots, hashRow(log.totalsRow())))
    const delta = log.delta(this.sealedTotals, this.now)
    if (log.steps > 0) this.sealedRoot = roots.slice(-32)
    this.sealedTotals = this.now
    this.log = new StepLog()
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

/** @throws Error when the bytes are no delta: they are this node's own record. */
export function decodeDelta(bytes: Uint8Array): Delta {
  const reader = new Reader(bytes)
  const totalsBefore = decodeTotals(reader.fixed(TOTALS_BYTES))
  const totalsAfter = decodeTotals(reader.fixed(TOTALS_BYTES))
  const count = reader.u32()
  const cells: number[] = []
  const changes: Delta['changes'][number][] = []
  for (let at = 0; at < count && !reader.failed; at++) {
    cells.push(reader.cell())
    const before = reader.u8() === 1 ? reader.fixed(CELL_BYTES) : undefined
    changes.push({ before, after: reader.fixed(CELL_BYTES) })
  }
  if (!reader.done || totalsBefore === undefined || totalsAfter === undefined)
    throw new Error('the stored delta is damaged')
  return { totalsBefore, totalsAfter, cells, changes }
}

function sameTotals(a: Totals, b: Totals): boolean {
  const [left, right] = [encodeTotals(a), encodeTotals(b)]
  return left.every((byte, at) => byte === right[at])
}

/** Two rows of hashes as one row of pairs. */
function interleave(left: Uint8Array, right: Uint8Array): Uint8Array {
  const pairs = new Uint8Array(2 * left.length)
  for (let at = 0; at < left.length; at += 32) {
    pairs.set(left.subarray(at, at + 32), 2 * at)
    pairs.set(right.subarray(at, at + 32), 2 * at + 32)
  }
  return pairs
}

/** Every cell change since the last seal, with the cell before and after it, in growing flat rows. */
class StepLog {
  private cell: number[] = []
  private step: number[] = []
  private created: boolean[] = []
  private readonly before = new Rows(CELL_BYTES)
  private readonly after = new Rows(CELL_BYTES)
  private readonly totals = new Rows(TOTALS_BYTES)
  private counts: number[] = []

  get steps(): number {
    return this.counts.length
  }

  add(cell: number, before: Uint8Array | undefined, after: Uint8Array): void {
    this.cell.push(cell)
    this.step.push(this.steps)
    this.created.push(before === undefined)
    this.before.push(before ?? EMPTY_CELL)
    this.after.push(after)
  }

  endStep(totals: Uint8Array, count: number): void {
    this.totals.push(totals)
    this.counts.push(count)
  }

  countAfter(step: number): number {
    return this.counts[step] as number
  }

  totalsRow(): Uint8Array {
    return this.totals.all
  }

  versions() {
    return { count: this.cell.length, cell: this.cell, step: this.step, leaves: hashRow(this.after.all) }
  }

  revert(tree: CellTree, countBefore: number): void {
    for (let at = this.cell.length - 1; at >= 0; at--) {
      if (!this.created[at]) tree.putBytes(this.cell[at] as number, this.before.at(at))
    }
    tree.truncate(countBefore)
  }

  delta(totalsBefore: Totals, totalsAfter: Totals): Uint8Array {
    const last = new Map<number, { first: number; last: number }>()
    this.cell.forEach((cell, at) => {
      const seen = last.get(cell)
      if (seen === undefined) last.set(cell, { first: at, last: at })
      else seen.last = at
    })
    const writer = new Writer(256 + 144 * last.size)
    writer.fixed(encodeTotals(totalsBefore), TOTALS_BYTES).fixed(encodeTotals(totalsAfter), TOTALS_BYTES).u32(last.size)
    for (const [cell, { first, last: end }] of last) {
      writer.cell(cell).u8(this.created[first] ? 0 : 1)
      if (!this.created[first]) writer.fixed(this.before.at(first), CELL_BYTES)
      writer.fixed(this.after.at(end), CELL_BYTES)
    }
    return writer.bytes
  }
}

const EMPTY_CELL = new Uint8Array(CELL_BYTES)

/** A growing row of records of one size. */
class Rows {
  private readonly size: number
  private buffer: Uint8Array
  private used = 0

  constructor(size: number) {
    this.size = size
    this.buffer = new Uint8Array(64 * size)
  }

  push(record: Uint8Array): void {
    if (this.used + this.size > this.buffer.length) {
      const larger = new Uint8Array(2 * this.buffer.length)
      larger.set(this.buffer)
      this.buffer = larger
    }
    this.buffer.set(record, this.used)
    this.used += this.size
  }

  at(index: number): Uint8Array {
    return this.buffer.subarray(this.size * index, this.size * (index + 1))
  }

  get all(): Uint8Array {
    return this.buffer.subarray(0, this.used)
  }
}
