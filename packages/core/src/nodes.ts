import { hashInto, zeroHash } from './hash.ts'
import { depthOf, proveLeaves } from './merkle.ts'
import { Rows } from './rows.ts'
import {
  type CellVersions,
  type LevelBefore,
  type LevelRoots,
  NODE_BYTES,
  NodeVersions,
  rootAfterEachStep,
  rootVersions,
} from './versions.ts'

/** A tree's nodes as they lie in shared memory: what another thread needs to bring them up to date. */
export interface NodeMemory {
  /** A row of nodes for each level, from the leaves up. */
  readonly layers: readonly SharedArrayBuffer[]
  /** Cells that the nodes cover. */
  readonly count: number
}

/**
 * The nodes above the cells, level by level, in shared memory: any one thread may hash, while the others leave them
 * alone. They show the state as of the last rehash.
 */
export class CellNodes {
  private layers: Rows[] = []
  private hashed = 0
  /** Kept from one rehash to the next: making room anew would cost a third of it. */
  private readonly scratch = { row: new NodeVersions(), above: new NodeVersions(), pairs: new Rows(NODE_BYTES, 0) }

  get memory(): NodeMemory {
    return { layers: this.layers.map(({ bytes }) => bytes.buffer as SharedArrayBuffer), count: this.hashed }
  }

  /** Goes on with nodes that another thread has brought up to date. */
  adopt({ layers, count }: NodeMemory): void {
    this.layers = layers.map((buffer) => Rows.shared(NODE_BYTES, buffer))
    this.hashed = count
  }

  /** Cells that the nodes cover. */
  get count(): number {
    return this.hashed
  }

  root(): Uint8Array {
    return this.nodeAt(depthOf(this.hashed), 0)
  }

  /**
   * Helpers for these cells (ascending; the one at `count`, if named, as the absent leaf in the tree of the grown
   * depth).
   */
  prove(cells: readonly number[]): Uint8Array[] {
    const count = Math.max(this.hashed, (cells.at(-1) ?? -1) + 1)
    return proveLeaves(count, cells, (level, index) => this.nodeAt(level, index))
  }

  /** A view of the node. */
  nodeAt(level: number, index: number): Uint8Array {
    const layer = this.layers[level]
    if (layer === undefined || index * 2 ** level >= this.hashed) return zeroHash(level)
    return layer.run(index, 1)
  }

  /**
   * Brings the nodes up to date with `updates`, and gives the cells root after each of `steps` steps, as a row.
   * Every version of every node is computed, a level at a time: within a level no hash waits for another
   * (measured against one path after the other: 6 against 17 µs a step at 2^20 cells).
   * @param after cells that there are then
   */
  rehash(updates: CellVersions, after: number, steps: number, countAfterStep: (step: number) => number): Uint8Array {
    const before = this.hashed
    const rootBefore = this.root().slice()
    const top = depthOf(Math.max(before, after))
    const roots: LevelRoots[] = []
    let { row, above } = this.scratch
    row.takeLeaves(updates)
    for (let level = 0; ; level++) {
      roots.push(rootVersions(row))
      if (level === top) break
      above.takeParents(row, this.levelBefore(level), this.scratch.pairs)
      this.store(level, row, Math.ceil(Math.max(before, after) / 2 ** level))
      ;[row, above] = [above, row]
    }
    this.store(top, row, 1)
    this.hashed = after
    return rootAfterEachStep(roots, rootBefore, before, steps, countAfterStep)
  }

  private levelBefore(level: number): LevelBefore {
    const known = Math.ceil(this.hashed / 2 ** level)
    return { nodes: this.layers[level] ?? NO_NODES, known, absent: Rows.over(NODE_BYTES, zeroHash(level)) }
  }

  /** Hashes every node anew. @param cells a row of all of them */
  rehashAll(cells: Uint8Array, count: number): void {
    this.hashed = count
    let below = cells
    for (let level = 0; level <= depthOf(count); level++) {
      const nodes = Math.ceil(count / 2 ** level)
      const layer = Rows.shared(NODE_BYTES, new SharedArrayBuffer(NODE_BYTES * (nodes + (nodes % 2))))
      hashInto(below, layer.run(0, nodes))
      if (nodes % 2 === 1) layer.bytes.set(zeroHash(level), NODE_BYTES * nodes)
      this.layers[level] = layer
      below = layer.bytes
    }
  }

  private store(level: number, row: NodeVersions, nodes: number): void {
    const layer = this.layers[level] ?? Rows.shared(NODE_BYTES, new SharedArrayBuffer(16 * NODE_BYTES))
    this.layers[level] = layer
    layer.reserve(nodes)
    for (let at = 0; at < row.count; at++) {
      // Only a node's last version stays.
      if (at + 1 < row.count && row.index[at + 1] === row.index[at]) continue
      layer.copy(row.index[at] as number, row.nodes, at)
    }
  }
}

const NO_NODES = new Rows(NODE_BYTES, 0)
