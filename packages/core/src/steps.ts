import { concatBytes } from './bytes.ts'
import { CELL_BYTES } from './cell.ts'
import { Writer } from './codec.ts'
import { type CellChanges, encodeDelta } from './delta.ts'
import { hashRow, merkleRoot } from './merkle.ts'
import type { CellNodes } from './nodes.ts'
import { Rows } from './rows.ts'
import { countOf, encodeTotals, TOTALS_BYTES, type Totals, writeTotals } from './totals.ts'
import type { CellTree } from './tree.ts'
import { sortByCell } from './versions.ts'

/** Consecutive steps of a batch as flat rows, ready to be hashed by any thread. One change is one cell's, in one step. */
export interface StepRows {
  /** Of each change. The steps count from 0. */
  readonly cell: Uint32Array
  readonly step: Uint32Array
  /** The cell before each change (zeros where it was made) and after it. */
  readonly befores: Uint8Array
  readonly afters: Uint8Array
  /** After each step. */
  readonly totals: Uint8Array
  /** Before the first of them. */
  readonly totalsBefore: Uint8Array
}

export interface HashedSteps {
  /** A row: the state root after each step. */
  readonly roots: Uint8Array
  /** Over the pairs of roots before and after each step. */
  readonly stepsRoot: Uint8Array
  /** For `Ledger.undo`. */
  readonly delta: Uint8Array
}

/**
 * Hashes the steps of one batch run by run, while later ones are applied. Each run brings the nodes up to date; how the
 * batch is divided changes nothing in what comes out.
 */
export class StepHasher {
  private readonly nodes: CellNodes
  private readonly runs: StepRows[] = []
  private readonly roots: Uint8Array[] = []
  private readonly leaves: Uint8Array[] = []
  private root: Uint8Array

  /** @param pre the state root before the batch, that of `nodes` and the totals */
  constructor(nodes: CellNodes, pre: Uint8Array) {
    this.nodes = nodes
    this.root = pre
  }

  /** The steps behind those of the runs before. */
  add(rows: StepRows): void {
    const roots = hashRun(this.nodes, rows)
    this.runs.push(rows)
    this.roots.push(roots)
    this.leaves.push(stepLeaves(this.root, roots))
    if (roots.length > 0) this.root = roots.subarray(-32)
  }

  /** There are no more. At least one run must have been added, if an empty one. */
  finish(): HashedSteps {
    const [first, last] = [this.runs[0], this.runs.at(-1)]
    if (first === undefined || last === undefined) throw new Error('no steps were given')
    return {
      roots: concatBytes(...this.roots),
      stepsRoot: merkleRoot(concatBytes(...this.leaves)),
      delta: encodeDelta(changesOf(this.runs), first.totalsBefore, totalsAfter(last)),
    }
  }
}

/** State roots after each of the steps, as a row. */
function hashRun(nodes: CellNodes, rows: StepRows): Uint8Array {
  const { cell, step, totals } = rows
  const steps = totals.length / TOTALS_BYTES
  const versions = { count: cell.length, cell, step, leaves: hashRow(rows.afters) }
  const countAfter = (at: number) => countOf(totals, TOTALS_BYTES * at)
  const cellRoots = nodes.rehash(versions, countOf(totalsAfter(rows), 0), steps, countAfter)
  return hashRow(interleave(cellRoots, hashRow(totals)))
}

function totalsAfter({ totals, totalsBefore }: StepRows): Uint8Array {
  return totals.length === 0 ? totalsBefore : totals.subarray(-TOTALS_BYTES)
}

function changesOf(runs: readonly StepRows[]): CellChanges {
  const cell = new Uint32Array(runs.reduce((sum, run) => sum + run.cell.length, 0))
  let next = 0
  for (const run of runs) {
    cell.set(run.cell, next)
    next += run.cell.length
  }
  const befores = Rows.over(CELL_BYTES, concatBytes(...runs.map((run) => run.befores)))
  const afters = Rows.over(CELL_BYTES, concatBytes(...runs.map((run) => run.afters)))
  return { cell, befores, afters, order: sortByCell(cell) }
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

/** Every cell change since the last cut, with the cell before and after it, in growing flat rows. */
export class StepLog {
  private readonly cell: number[] = []
  private readonly step: number[] = []
  private readonly befores: Rows
  private readonly afters: Rows
  private readonly totals: Writer
  private ended = 0

  /** With room for as many changes as the log before had. */
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
  rows(before: Totals): StepRows {
    const count = this.cell.length
    return {
      cell: new Uint32Array(this.cell),
      step: new Uint32Array(this.step),
      befores: this.befores.run(0, count),
      afters: this.afters.run(0, count),
      totals: this.totals.bytes,
      totalsBefore: encodeTotals(before),
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
