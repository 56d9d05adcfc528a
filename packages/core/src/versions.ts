import { hashInto } from './hash.ts'
import { depthOf } from './merkle.ts'
import { copyLongs, Rows } from './rows.ts'

export const NODE_BYTES = 32
const NODE_LONGS = NODE_BYTES / 8

/** Which cell changed at which step (non-decreasing), and its leaf afterwards (zeros: absent). */
export interface CellVersions {
  readonly count: number
  readonly cell: ArrayLike<number>
  readonly step: ArrayLike<number>
  /** A row of 32-byte leaves. */
  readonly leaves: Uint8Array
}

/** A level of the tree as it was: nodes from `known` on are absent, and `absent` is one of them. */
export interface LevelBefore {
  readonly nodes: Rows
  readonly known: number
  readonly absent: Rows
}

/** Node versions of one level, ascending by (index, step), each pair once. It is filled anew, level after level. */
export class NodeVersions {
  count = 0
  index = new Uint32Array(0)
  step = new Uint32Array(0)
  readonly nodes = new Rows(NODE_BYTES, 0)

  /** Empties it, with room for `most`. */
  clear(most: number): void {
    this.count = 0
    this.nodes.reserve(most)
    if (this.index.length >= most) return
    this.index = new Uint32Array(most)
    this.step = new Uint32Array(most)
  }

  /** Fills it with leaves. Of a cell that changed more than once in a step only the last version counts. */
  takeLeaves({ count, cell, step, leaves }: CellVersions): void {
    const source = Rows.over(NODE_BYTES, leaves)
    this.clear(count)
    for (const at of sortByCell(cell)) {
      const last = this.count - 1
      const isAgain = last >= 0 && this.index[last] === cell[at] && this.step[last] === step[at]
      const to = isAgain ? last : this.count++
      this.index[to] = cell[at] as number
      this.step[to] = step[at] as number
      this.nodes.copy(to, source, at)
    }
  }

  /** Fills it with the parents of `row`: merges the versions of each pair of siblings. @param pairs room to work in */
  takeParents(row: NodeVersions, before: LevelBefore, pairs: Rows): void {
    this.clear(row.count)
    pairs.reserve(2 * row.count)
    for (let left = 0, end = 0; left < row.count; left = end) {
      const parent = (row.index[left] as number) >>> 1
      const middle = endOfRun(row, left, 2 * parent)
      end = endOfRun(row, middle, 2 * parent + 1)
      this.mergeSiblings(row, before, pairs, parent, left, middle, end)
    }
    hashInto(pairs.run(0, 2 * this.count), this.nodes.run(0, this.count))
  }

  /** Versions [from, middle) are the left child's, [middle, end) the right one's. */
  private mergeSiblings(
    row: NodeVersions,
    before: LevelBefore,
    pairs: Rows,
    parent: number,
    from: number,
    middle: number,
    end: number,
  ): void {
    const { nodes, known, absent } = before
    // Each side's newest version so far: what it was, then one of the row.
    let leftSource = 2 * parent < known ? nodes.longs : absent.longs
    let leftNode = 2 * parent < known ? 2 * parent : 0
    let rightSource = 2 * parent + 1 < known ? nodes.longs : absent.longs
    let rightNode = 2 * parent + 1 < known ? 2 * parent + 1 : 0
    let left = from
    let right = middle
    while (left < middle || right < end) {
      const leftStep = left < middle ? (row.step[left] as number) : NEVER
      const rightStep = right < end ? (row.step[right] as number) : NEVER
      if (leftStep <= rightStep) {
        leftSource = row.nodes.longs
        leftNode = left++
      }
      if (rightStep <= leftStep) {
        rightSource = row.nodes.longs
        rightNode = right++
      }
      const to = this.count++
      this.index[to] = parent
      this.step[to] = Math.min(leftStep, rightStep)
      copyLongs(pairs.longs, 2 * to, leftSource, leftNode, NODE_LONGS)
      copyLongs(pairs.longs, 2 * to + 1, rightSource, rightNode, NODE_LONGS)
    }
  }
}

/**
 * Places in a list of cells (below 2^32), ordered by cell, then as they were: by radix, from the lowest digit up, which
 * takes a third of the time of sorting numbers.
 */
export function sortByCell(cells: ArrayLike<number>): Uint32Array {
  let sorted = Uint32Array.from(cells, (_, place) => place)
  let spare = new Uint32Array(cells.length)
  let most = 0
  for (let at = 0; at < cells.length; at++) most = Math.max(most, cells[at] as number)
  for (let shift = 0; shift < 32 && most >>> shift > 0; shift += DIGIT_BITS) {
    sortByDigit(cells, sorted, spare, shift)
    ;[sorted, spare] = [spare, sorted]
  }
  return sorted
}

const DIGIT_BITS = 11
const DIGITS = 2 ** DIGIT_BITS

/** Keeps the order of `from` among cells whose digit is the same. */
function sortByDigit(cells: ArrayLike<number>, from: Uint32Array, to: Uint32Array, shift: number): void {
  const starts = new Uint32Array(DIGITS)
  for (let at = 0; at < cells.length; at++) {
    const digit = ((cells[at] as number) >>> shift) % DIGITS
    starts[digit] = (starts[digit] as number) + 1
  }
  let before = 0
  for (let digit = 0; digit < DIGITS; digit++) {
    const count = starts[digit] as number
    starts[digit] = before
    before += count
  }
  for (const place of from) {
    const digit = ((cells[place] as number) >>> shift) % DIGITS
    const next = starts[digit] as number
    to[next] = place
    starts[digit] = next + 1
  }
}

/** Later than every step. */
const NEVER = 2 ** 30

function endOfRun(row: NodeVersions, from: number, index: number): number {
  let at = from
  while (at < row.count && row.index[at] === index) at++
  return at
}

/** The versions of a level's first node: the root of any tree of that depth. */
export interface LevelRoots {
  readonly steps: Uint32Array
  /** A row. */
  readonly hashes: Uint8Array
}

export function rootVersions(row: NodeVersions): LevelRoots {
  const end = endOfRun(row, 0, 0)
  return { steps: row.step.slice(0, end), hashes: row.nodes.run(0, end).slice() }
}

/** A tree of n cells has the first node of level depthOf(n) as its root, so a growing tree climbs the levels. */
export function rootAfterEachStep(
  roots: readonly LevelRoots[],
  rootBefore: Uint8Array,
  countBefore: number,
  steps: number,
  countAfterStep: (step: number) => number,
): Uint8Array {
  const row = new Uint8Array(NODE_BYTES * steps)
  let root = rootBefore
  let level = depthOf(countBefore)
  let next = 0
  for (let step = 0; step < steps; step++) {
    const depth = depthOf(countAfterStep(step))
    if (depth !== level) {
      level = depth
      next = 0
    }
    const { steps: changed, hashes } = roots[level] as LevelRoots
    while (next < changed.length && (changed[next] as number) <= step) {
      root = hashes.subarray(NODE_BYTES * next, NODE_BYTES * (next + 1))
      next++
    }
    row.set(root, NODE_BYTES * step)
  }
  return row
}
