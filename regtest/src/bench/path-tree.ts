import { type CellTree, depthOf, hashInto } from '@kedge/core'

/** The obvious way to keep a Merkle tree: after each change, one path up, node by node. */
export class PathTree {
  private readonly layers: Uint8Array[] = []
  private readonly depth: number

  /** As of `cells`, which must have been hashed. */
  constructor(cells: CellTree) {
    this.depth = depthOf(cells.count)
    for (let level = 0; level <= this.depth; level++) {
      const nodes = Math.ceil(cells.count / 2 ** level)
      const layer = new Uint8Array(32 * (nodes + (nodes % 2)))
      for (let index = 0; index < nodes + (nodes % 2); index++) layer.set(cells.nodeAt(level, index), 32 * index)
      this.layers.push(layer)
    }
  }

  /** Puts a cell's 64 bytes in place. @returns the root */
  update(cell: number, bytes: Uint8Array): Uint8Array {
    let index = cell
    hashInto(bytes, this.nodeAt(0, index))
    for (let level = 0; level < this.depth; level++) {
      const left = index - (index % 2)
      const pair = (this.layers[level] as Uint8Array).subarray(32 * left, 32 * left + 64)
      index = left / 2
      hashInto(pair, this.nodeAt(level + 1, index))
    }
    return this.nodeAt(this.depth, 0)
  }

  private nodeAt(level: number, index: number): Uint8Array {
    return (this.layers[level] as Uint8Array).subarray(32 * index, 32 * index + 32)
  }
}
