import { concatBytes } from './bytes.ts'
import { CELL_BYTES } from './cell.ts'
import { Writer } from './codec.ts'
import { encodeDelta } from './delta.ts'
import { hashRow, merkleRoot } from './merkle.ts'
import type { CellNodes } from './nodes.ts'
import { Rows } from './rows.ts'
import { countOf, TOTALS_BYTES, type Totals, writeTotals } from './totals.ts'
import type { CellTree } from './tree.ts'
import { sortByCell } from './versions.ts'

/** The steps of one batch as flat rows, ready to be hashed by any thread. One change is one cell's, in one step. */
export interface StepRows {
  /** Of each change. */
  readonly cell: Uint32Array
  readonly step: Uint32Array
  /** The cell before each change (zeros where it was made) and after it. */
  readonly befores: Uint8Array
  readonly afters: Uint8Array
  /** After each step. */
  readonly totals: Uint8Array
  /** Before the first step: totals and state root. */
  readonly totalsBefore: Uint8Array
  readonly pre: Uint8Array
}

export interface HashedSteps {
  /** A row: the state root after each step. */
  readonly roots: Uint8Array
  /** Over the pairs of roots before and after each step. */
  readonly stepsRoot: Uint8Array
  /** For `Ledger.undo`. */
  readonly delta: Uint8Array
}

/** Hashes all steps at once, and brings the nodes up to date. */
export function hashSteps(nodes: CellNodes, rows: StepRows): HashedSteps {
  const { cell, step, totals, totalsBefore } = rows
  const steps = totals.length / TOTALS_BYTES
  const last = steps === 0 ? totalsBefore : totals.subarray(TOTALS_BYTES * (steps - 1))
  const order = sortByCell(cell)
  const versions = { count: cell.length, cell, step, leaves: hashRow(rows.afters), order }
  const countAfter = (at: number) => countOf(totals, TOTALS_BYTES * at)
  const cellRoots = nodes.rehash(versions, countOf(last, 0), steps, countAfter)
  const roots = hashRow(interleave(cellRoots, hashRow(totals)))
  const [befores, afters] = [rows.befores, rows.afters].map((row) => Rows.over(CELL_BYTES, row)) as [Rows, Rows]
  const delta = encodeDelta({ cell, befores, afters, order }, totalsBefore, last)
  return { roots, stepsRoot: merkleRoot(stepLeaves(rows.pre, roots)), delta }
}

/** Leaves of the steps tree: d(root before, root after) for each operation. */
export function stepLeaves(before: Uint8Array, stepRoots: Uint8Array): Uint8Array {
  const pairs = new Uint8Array(2 * stepRoots.length)
  const chain = concatBytes(before, stepRoots)
  for (let at = 0; at < stepRoots.length; at += 32) pairs.set(chain.subarray(at, at + 64), 2 * at)
  return hashRow(pairs)
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
export class StepLog {
  private readonly cell: number[] = []
  private readonly step: number[] = []
  private readonly befores: Rows
  private readonly afters: Rows
  private readonly totals: Writer
  private ended = 0

  /** With room for as many changes as the batch before had. */
  constructor(before?: StepLog) {
    this.befores = new Rows(CELL_BYTES, before?.cell.length ?? 0)
    this.afters = new Rows(CELL_BYTES, before?.cell.length ?? 0)
    this.totals = new Writer(TOTALS_BYTES * (before?.steps ?? 0))
  }

  get steps(): number {
    return this.ended
  }

  /** A cell is about to change, or to be created. */
  before(tree: CellTree, cell: number): void {
    const at = this.cell.length
    this.befores.reserve(at + 1)
    if (cell < tree.count) tree.copyTo(this.befores, at, cell)
    this.cell.push(cell)
    this.step.push(this.ended)
  }

  /** It has changed. */
  after(tree: CellTree, cell: number): void {
    this.afters.reserve(this.cell.length)
    tree.copyTo(this.afters, this.cell.length - 1, cell)
  }

  endStep(totals: Totals): void {
    writeTotals(this.totals, totals)
    this.ended++
  }

  /** Views of the log's own memory, which nobody writes to any more. */
  rows(before: Totals, pre: Uint8Array): StepRows {
    const count = this.cell.length
    return {
      cell: new Uint32Array(this.cell),
      step: new Uint32Array(this.step),
      befores: this.befores.run(0, count),
      afters: this.afters.run(0, count),
      totals: this.totals.bytes,
      totalsBefore: writeTotals(new Writer(TOTALS_BYTES), before).bytes,
      pre,
    }
  }

  revert(tree: CellTree, countBefore: number): void {
    for (let at = this.cell.length - 1; at >= 0; at--) {
      const cell = this.cell[at] as number
      if (cell < countBefore) tree.putBytes(cell, this.befores.run(at, 1))
    }
    tree.truncate(countBefore)
  }
}
