import { equalBytes } from './bytes.ts'
import { type Account, CELL_BYTES, isNonceAbove, isOwner, readAccount, readOwner, writeAccount } from './cell.ts'
import { CellNodes } from './nodes.ts'
import { type Cells, MissingCellError } from './operation.ts'
import { Rows } from './rows.ts'
import type { CellVersions } from './versions.ts'

/**
 * All cells and the nodes above them, in flat arrays. Cells change at once; nodes are brought up to date by `rehash`,
 * for many changes together. Between the two the nodes show the state as it was.
 */
export class CellTree implements Cells {
  private readonly cells = new Rows(CELL_BYTES, 64)
  readonly nodes = new CellNodes()
  private length = 0
  private ownersFrom = Number.POSITIVE_INFINITY

  get count(): number {
    return this.length
  }

  account(cell: number): Account {
    if (cell >= this.length) throw new MissingCellError(cell)
    return readAccount(this.cells.bytes, this.cells.view, CELL_BYTES * cell)
  }

  /** A copy of the key that owns a cell. */
  owner(cell: number): Uint8Array {
    if (cell >= this.length) throw new MissingCellError(cell)
    return readOwner(this.cells.bytes, CELL_BYTES * cell)
  }

  /** Whether the cell is there and the key's. */
  isOwner(cell: number, key: Uint8Array): boolean {
    return cell < this.length && isOwner(this.cells.bytes, CELL_BYTES * cell, key)
  }

  /** Whether the cell has used the nonce (a u64) at `at` of `bytes`. */
  hasUsed(cell: number, bytes: Uint8Array, at: number): boolean {
    if (cell >= this.length) throw new MissingCellError(cell)
    return isNonceAbove(this.cells.bytes, CELL_BYTES * cell, bytes, at)
  }

  /** A copy of the cell's 64 bytes. */
  bytes(cell: number): Uint8Array {
    if (cell >= this.length) throw new MissingCellError(cell)
    return this.cells.run(cell, 1).slice()
  }

  /** Copies the cell's 64 bytes to record `to`. */
  copyTo(target: Rows, to: number, cell: number): void {
    if (cell >= this.length) throw new MissingCellError(cell)
    target.copy(to, this.cells, cell)
  }

  /** Overwrites a cell, or appends the one at `count`. No operation changes whose an existing cell is. */
  put(cell: number, account: Account): void {
    this.reserve(cell)
    writeAccount(this.cells.bytes, this.cells.view, CELL_BYTES * cell, account)
  }

  /** As `put`, of a cell's 64 bytes; unlike an operation it may give a cell another owner. */
  putBytes(cell: number, bytes: Uint8Array): void {
    if (cell < this.length && !equalBytes(this.owner(cell), readOwner(bytes, 0))) this.noteOwnersFrom(cell)
    this.reserve(cell)
    this.cells.bytes.set(bytes, CELL_BYTES * cell)
  }

  /** Forgets the cells from `count` on. */
  truncate(count: number): void {
    if (count < this.length) this.noteOwnersFrom(count)
    this.cells.bytes.fill(0, CELL_BYTES * count, CELL_BYTES * this.length)
    this.length = count
  }

  /**
   * The lowest cell that may have changed hands since this was asked last: its old state was taken back, whether or not
   * it was made anew. Infinity where there is none; appending alone is no such change. For one index of owners.
   */
  takeOwnerChanges(): number {
    const from = this.ownersFrom
    this.ownersFrom = Number.POSITIVE_INFINITY
    return from
  }

  /** Cells [start, start + count) as one view. Invalid after the next append. */
  page(start: number, count: number): Uint8Array {
    return this.cells.run(start, Math.max(0, Math.min(count, this.length - start)))
  }

  /** Root over all cells as of the last rehash. */
  root(): Uint8Array {
    return this.nodes.root()
  }

  /** `CellNodes.prove`. The nodes must be up to date. */
  prove(cells: readonly number[]): Uint8Array[] {
    return this.nodes.prove(cells)
  }

  /** A view of the node as of the last rehash. */
  nodeAt(level: number, index: number): Uint8Array {
    return this.nodes.nodeAt(level, index)
  }

  /** `CellNodes.rehash`, for the cells as they are now. */
  rehash(updates: CellVersions, steps: number, countAfterStep: (step: number) => number): Uint8Array {
    return this.nodes.rehash(updates, this.length, steps, countAfterStep)
  }

  /** Hashes every node anew: after loading cells in bulk. */
  rehashAll(): void {
    this.nodes.rehashAll(this.cells.run(0, this.length), this.length)
  }

  private noteOwnersFrom(cell: number): void {
    this.ownersFrom = Math.min(this.ownersFrom, cell)
  }

  private reserve(cell: number): void {
    if (cell > this.length) throw new MissingCellError(cell)
    if (cell === this.length) this.length++
    this.cells.reserve(this.length)
  }
}
