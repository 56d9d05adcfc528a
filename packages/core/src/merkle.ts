import { concatBytes } from './bytes.ts'
import { hashInto, hashPair, zeroHash } from './hash.ts'

/**
 * Binary Merkle trees over a committed number of leaves. The depth always follows from that number and is never a
 * proof's choice: this is what keeps the 64 bytes of a leaf's preimage from posing as a node. Nodes behind the last
 * leaf follow from it too: no proof can say that something is there.
 */

/** ⌈log₂ count⌉; 0 for none or one leaf. */
export function depthOf(count: number): number {
  let depth = 0
  for (let width = 1; width < count; width *= 2) depth++
  return depth
}

/** The node at (level, index); level 0 holds the leaves. */
export type NodeAt = (level: number, index: number) => Uint8Array

/** The helper hashes that, with the leaves at `indices` (ascending, each once), give the root over `count` leaves. */
export function proveLeaves(count: number, indices: readonly number[], nodeAt: NodeAt): Uint8Array[] {
  const helpers: Uint8Array[] = []
  const depth = depthOf(count)
  let row = indices
  for (let level = 0; level < depth; level++) {
    const above: number[] = []
    for (let at = 0; at < row.length; at++) {
      const index = row[at] as number
      const sibling = index % 2 === 0 ? index + 1 : index - 1
      if (index % 2 === 0 && row[at + 1] === sibling) at++
      else if (!isAbsent(count, level, sibling)) helpers.push(nodeAt(level, sibling))
      above.push(Math.floor(index / 2))
    }
    row = above
  }
  return helpers
}

/** Whether all leaves below a node lie behind the last one: it is `zeroHash(level)`. */
function isAbsent(count: number, level: number, index: number): boolean {
  return index * 2 ** level >= count
}

/**
 * The root over `count` leaves that those at `indices` and helpers give. Undefined unless the indices ascend, lie below
 * `count`, and every helper is needed and there.
 */
export function computeRoot(
  count: number,
  indices: readonly number[],
  leaves: readonly Uint8Array[],
  helpers: readonly Uint8Array[],
): Uint8Array | undefined {
  if (indices.length === 0 || indices.length !== leaves.length) return undefined
  if (indices.some((index, at) => index >= count || index < 0 || (at > 0 && index <= (indices[at - 1] as number))))
    return undefined
  if (helpers.some((helper) => helper.length !== 32)) return undefined
  const rest = helpers.values()
  const depth = depthOf(count)
  let row = indices
  let nodes = rowOf(leaves)
  for (let level = 0; level < depth; level++) {
    const above: number[] = []
    const pairs = new Uint8Array(64 * row.length)
    for (let at = 0; at < row.length; at++) {
      const index = row[at] as number
      const node = nodes.subarray(32 * at, 32 * at + 32)
      const sibling = index % 2 === 0 ? index + 1 : index - 1
      const isPaired = index % 2 === 0 && row[at + 1] === sibling
      if (isPaired) at++
      const other = isPaired ? nodes.subarray(32 * at, 32 * at + 32) : helperFor(count, level, sibling, rest)
      if (other === undefined) return undefined
      pairs.set(node, 64 * above.length + 32 * (index % 2))
      pairs.set(other, 64 * above.length + 32 * (sibling % 2))
      above.push(Math.floor(index / 2))
    }
    row = above
    nodes = hashRow(pairs.subarray(0, 64 * above.length))
  }
  return rest.next().done ? nodes : undefined
}

/** A node that the leaves don't give: absent, or the next helper; undefined when there is none left. */
function helperFor(count: number, level: number, index: number, helpers: Iterator<Uint8Array>): Uint8Array | undefined {
  return isAbsent(count, level, index) ? zeroHash(level) : helpers.next().value
}

/** What the first `count` of `total` leaves give by themselves, and what all of them give. */
export interface PrefixRoots {
  readonly prefix: Uint8Array
  readonly whole: Uint8Array
}

/**
 * Both roots from the nodes that `MerkleLog.provePrefix` gives. The way up from the last leaf of the prefix is one in
 * both trees, until the smaller one ends: nodes on its left are whole in both, those on its right are absent in the
 * smaller. So whoever knows the larger root by other means learns what its first leaves give. Undefined unless every node
 * is needed and there.
 */
export function computePrefix(total: number, count: number, nodes: readonly Uint8Array[]): PrefixRoots | undefined {
  if (count < 1 || count > total || nodes.some((node) => node.length !== 32)) return undefined
  const rest = nodes.values()
  const start = wholeLevel(count)
  let prefix: Uint8Array | undefined = rest.next().value
  let whole = prefix
  for (let level = start; level < depthOf(total); level++) {
    const index = Math.floor((count - 1) / 2 ** level)
    const sibling = index % 2 === 0 ? helperFor(total, level, index + 1, rest) : rest.next().value
    if (prefix === undefined || whole === undefined || sibling === undefined) return undefined
    const isInside = level < depthOf(count)
    if (index % 2 === 1) prefix = hashPair(sibling, prefix)
    else if (isInside) prefix = hashPair(prefix, zeroHash(level))
    whole = index % 2 === 1 ? hashPair(sibling, whole) : hashPair(whole, sibling)
  }
  return prefix && whole && rest.next().done ? { prefix, whole } : undefined
}

/** The level of the largest whole subtree that ends with the last of `count` leaves. */
function wholeLevel(count: number): number {
  let level = 0
  for (let width = 2; count % width === 0; width *= 2) level++
  return level
}

/** An append-only tree that keeps its full nodes, so a root or a path of any prefix's end costs a few hashes. */
export class MerkleLog {
  private readonly layers: Layer[] = [new Layer()]

  /** Adds a row of 32-byte leaves. */
  append(leaves: Uint8Array): void {
    ;(this.layers[0] as Layer).push(leaves)
  }

  get count(): number {
    return (this.layers[0] as Layer).count
  }

  get depth(): number {
    return depthOf(this.count)
  }

  /** @param total of the first so many leaves only: of what the log was when it had no more */
  root(total = this.count): Uint8Array {
    this.settle()
    return this.nodeAt(depthOf(total), 0, total)
  }

  /** Helpers for a run of leaves [start, start + count). @param total as for `root` */
  prove(start: number, count = 1, total = this.count): Uint8Array[] {
    this.settle()
    const indices = Array.from({ length: count }, (_, at) => start + at)
    return proveLeaves(total, indices, (level, index) => this.nodeAt(level, index, total))
  }

  /** The nodes from which `computePrefix` has the root over the first `count` leaves beside the root over all. */
  provePrefix(count: number): Uint8Array[] {
    this.settle()
    const total = this.count
    const start = wholeLevel(count)
    const nodes = [this.nodeAt(start, Math.floor((count - 1) / 2 ** start), total)]
    for (let level = start; level < depthOf(total); level++) {
      const index = Math.floor((count - 1) / 2 ** level)
      const sibling = index % 2 === 0 ? index + 1 : index - 1
      if (!isAbsent(total, level, sibling)) nodes.push(this.nodeAt(level, sibling, total))
    }
    return nodes
  }

  /** Hashes every pair that has become full, a layer at a time. */
  private settle(): void {
    for (let level = 0; (this.layers[level] as Layer).count > 1; level++) {
      const layer = this.layers[level] as Layer
      const above = this.layers[level + 1] ?? new Layer()
      this.layers[level + 1] = above
      const ready = Math.floor(layer.count / 2) - above.count
      if (ready > 0) above.push(hashRow(layer.bytes(2 * above.count, 2 * ready)))
    }
  }

  /** Full nodes are stored; one on the right edge is padded with absent leaves. */
  private nodeAt(level: number, index: number, total: number): Uint8Array {
    const isFull = (index + 1) * 2 ** level <= total
    if (isFull) return (this.layers[level] as Layer).bytes(index, 1)
    if (index * 2 ** level >= total) return zeroHash(level)
    return hashPair(this.nodeAt(level - 1, 2 * index, total), this.nodeAt(level - 1, 2 * index + 1, total))
  }
}

/** The root over a row of 32-byte leaves. */
export function merkleRoot(leaves: Uint8Array): Uint8Array {
  const log = new MerkleLog()
  log.append(leaves)
  return log.root()
}

/** Hashes one after another, as a row. */
export function rowOf(hashes: readonly Uint8Array[]): Uint8Array {
  const row = new Uint8Array(32 * hashes.length)
  for (const [at, hash] of hashes.entries()) row.set(hash, 32 * at)
  return row
}

/** Hashes a row of pairs into a row of parents. */
export function hashRow(pairs: Uint8Array): Uint8Array {
  const parents = new Uint8Array(pairs.length / 2)
  hashInto(pairs, parents)
  return parents
}

class Layer {
  private buffer: Uint8Array = new Uint8Array(1024)
  count = 0

  push(rows: Uint8Array): void {
    const size = 32 * this.count + rows.length
    if (size > this.buffer.length)
      this.buffer = concatBytes(this.buffer, new Uint8Array(Math.max(size, this.buffer.length)))
    this.buffer.set(rows, 32 * this.count)
    this.count += rows.length / 32
  }

  bytes(start: number, count: number): Uint8Array {
    return this.buffer.subarray(32 * start, 32 * (start + count))
  }
}
