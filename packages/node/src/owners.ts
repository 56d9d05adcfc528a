import { getRandomValues } from 'node:crypto'
import { CELL_BYTES, type CellTree, equalBytes } from '@kedge/core'

const EMPTY = 0xffffffff

/**
 * Cells by owner: an open-addressed table of cell numbers, 8 bytes an account at half load. An entry is a hint; the
 * cell itself says whose it is, so cells that are taken back leave nothing to clean up.
 */
export class OwnerIndex {
  private readonly tree: CellTree
  private slots = new Uint32Array(1024).fill(EMPTY)
  private known = 0
  private used = 0
  /** Keys cost their choosers a cell each; a secret seed keeps them from choosing where they collide. */
  private readonly seed = getRandomValues(new Uint32Array(1))[0] as number

  constructor(tree: CellTree) {
    this.tree = tree
  }

  /** The key's first cell. */
  find(key: Uint8Array): number | undefined {
    return this.findAll(key)[0]
  }

  /** All cells of a key, ascending. */
  findAll(key: Uint8Array): number[] {
    this.catchUp()
    const found = new Set<number>()
    for (let at = this.slotOf(key); this.slots[at] !== EMPTY; at = (at + 1) & (this.slots.length - 1)) {
      const cell = this.slots[at] as number
      if (cell < this.tree.count && equalBytes(this.tree.owner(cell), key)) found.add(cell)
    }
    return [...found].sort((a, b) => a - b)
  }

  private catchUp(): void {
    // Cells that were taken back and made anew may have other owners: they are entered again, beside their old entries.
    this.known = Math.min(this.known, this.tree.takeOwnerChanges())
    if (2 * (this.used + this.tree.count - this.known) > this.slots.length) this.rebuild()
    while (this.known < this.tree.count) this.enter(this.known++)
  }

  private rebuild(): void {
    let size = this.slots.length
    while (size < 4 * this.tree.count) size *= 2
    this.slots = new Uint32Array(size).fill(EMPTY)
    this.known = 0
    this.used = 0
  }

  private enter(cell: number): void {
    let at = this.slotOf(this.tree.owner(cell))
    while (this.slots[at] !== EMPTY && this.slots[at] !== cell) at = (at + 1) & (this.slots.length - 1)
    if (this.slots[at] === EMPTY) this.used++
    this.slots[at] = cell
  }

  private slotOf(key: Uint8Array): number {
    let mixed = this.seed
    for (let at = 0; at < CELL_BYTES / 2; at += 4) {
      const word =
        (key[at] as number) |
        ((key[at + 1] as number) << 8) |
        ((key[at + 2] as number) << 16) |
        ((key[at + 3] as number) << 24)
      mixed = Math.imul(mixed ^ word, 0x9e3779b1)
      mixed ^= mixed >>> 15
    }
    return (mixed >>> 0) & (this.slots.length - 1)
  }
}
