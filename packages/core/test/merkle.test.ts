import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { equalBytes, toHex } from '../src/bytes.ts'
import { hashPair, sha256, ZERO_HASH, zeroHash } from '../src/hash.ts'
import { computePrefix, computeRoot, depthOf, MerkleLog, merkleRoot, proveLeaves, rowOf } from '../src/merkle.ts'
import { naiveRoot } from './model.ts'
import { bytes32 } from './world.ts'

const COUNTS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129]
const leavesOf = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, at) => sha256(Uint8Array.of(at, at >> 8)))

function logOf(leaves: readonly Uint8Array[]): MerkleLog {
  const log = new MerkleLog()
  log.append(rowOf(leaves))
  return log
}

test('depth is the logarithm, rounded up, exact at powers of two up to 2^53', () => {
  expect([0, 1, 2, 3, 4, 5, 8, 9].map(depthOf)).toEqual([0, 0, 1, 2, 2, 3, 3, 4])
  for (const power of [10, 31, 32, 47, 52]) {
    expect([depthOf(2 ** power - 1), depthOf(2 ** power), depthOf(2 ** power + 1)]).toEqual([power, power, power + 1])
  }
})

describe('roots', () => {
  test.each(COUNTS)('of %i leaves', (count) => {
    const leaves = leavesOf(count)
    const root = toHex(naiveRoot(leaves))
    expect(toHex(merkleRoot(rowOf(leaves)))).toBe(root)
    const log = new MerkleLog()
    for (const [at, leaf] of leaves.entries()) {
      log.append(leaf)
      expect(toHex(log.root())).toBe(toHex(naiveRoot(leaves.slice(0, at + 1))))
    }
    expect(log.count).toBe(count)
  })

  test('of the first leaves, once there are more: root and proofs are those of then', () => {
    const leaves = leavesOf(33)
    const log = logOf(leaves)
    for (const total of [0, 1, 2, 3, 5, 8, 9, 31, 32, 33]) {
      const then = logOf(leaves.slice(0, total))
      expect(log.root(total)).toEqual(then.root())
      for (let at = 0; at < total; at++) expect(log.prove(at, 1, total)).toEqual(then.prove(at))
    }
  })

  test('of nothing, of one leaf, of zeros', () => {
    expect(merkleRoot(new Uint8Array(0))).toEqual(ZERO_HASH)
    expect(merkleRoot(bytes32(5))).toEqual(bytes32(5))
    expect(merkleRoot(new Uint8Array(96))).toEqual(zeroHash(2))
  })

  test('a row of many thousands', () => {
    const leaves = leavesOf(200_000)
    expect(toHex(rowOf(leaves).slice(-32))).toBe(toHex(leaves.at(-1) as Uint8Array))
  })
})

describe('a prefix', () => {
  test.each(COUNTS.slice(1))(
    'of any length of %i leaves: its root and the whole one, by as few nodes as there are',
    (total) => {
      const leaves = leavesOf(total)
      const log = logOf(leaves)
      for (let count = 1; count <= total; count++) {
        const nodes = log.provePrefix(count)
        expect(nodes.length).toBeLessThanOrEqual(depthOf(total) + 1)
        const roots = { prefix: naiveRoot(leaves.slice(0, count)), whole: naiveRoot(leaves) }
        expect(computePrefix(total, count, nodes)).toEqual(roots)
        expect(computePrefix(total, count, nodes.slice(1))).not.toEqual(roots)
        expect(computePrefix(total, count, [...nodes, ZERO_HASH])).toBeUndefined()
        for (const at of nodes.keys()) {
          const other = computePrefix(total, count, nodes.with(at, sha256(nodes[at] as Uint8Array)))
          expect(other?.whole).not.toEqual(roots.whole)
        }
      }
    },
  )

  test('of nothing, of more than there is, by nodes of another size', () => {
    const nodes = logOf(leavesOf(5)).provePrefix(3)
    expect(computePrefix(5, 0, nodes)).toBeUndefined()
    expect(computePrefix(2, 3, nodes)).toBeUndefined()
    expect(computePrefix(5, 3, nodes.with(0, new Uint8Array(31)))).toBeUndefined()
  })
})

describe('proofs', () => {
  test.each(COUNTS.slice(1))('of each leaf of %i, with a helper for each node that is there', (count) => {
    const leaves = leavesOf(count)
    const log = logOf(leaves)
    const root = toHex(log.root())
    for (const [at, leaf] of leaves.entries()) {
      const helpers = log.prove(at)
      expect(helpers.length).toBeLessThanOrEqual(depthOf(count))
      expect(toHex(computeRoot(count, [at], [leaf], helpers) ?? ZERO_HASH)).toBe(root)
      expect(helpers.some((helper) => [0, 1, 2, 3].some((level) => equalBytes(helper, zeroHash(level))))).toBe(false)
    }
    expect(log.prove(0, count)).toEqual([])
  })

  const sets = fc.integer({ min: 1, max: 70 }).chain((count) =>
    fc.tuple(
      fc.constant(count),
      fc.subarray(
        Array.from({ length: count }, (_, at) => at),
        { minLength: 1 },
      ),
    ),
  )

  test('of any set of leaves, and no other list of helpers fits', () => {
    fc.assert(
      fc.property(sets, fc.nat(), ([count, indices], pick) => {
        const leaves = leavesOf(count)
        const log = logOf(leaves)
        const helpers = proveLeaves(count, indices, (level, index) => nodeOf(leaves, level, index))
        const chosen = indices.map((at) => leaves[at] as Uint8Array)
        const root = log.root()
        expect(computeRoot(count, indices, chosen, helpers)).toEqual(root)
        const at = pick % (helpers.length + 1)
        const others = [
          helpers.toSpliced(at, 0, bytes32(1)),
          ...(at < helpers.length ? [helpers.toSpliced(at, 1), helpers.with(at, bytes32(1))] : []),
        ]
        for (const other of others) expect(same(computeRoot(count, indices, chosen, other), root)).toBe(false)
      }),
      { numRuns: 300 },
    )
  })

  test('indices must ascend, each once, within the count', () => {
    const [one, two] = leavesOf(2) as [Uint8Array, Uint8Array]
    expect(computeRoot(2, [0, 1], [one, two], [])).toEqual(hashPair(one, two))
    for (const indices of [[1, 0], [0, 0], [0, 2], [-1, 0], [0], [0, 1, 2], []]) {
      expect(computeRoot(2, indices, [one, two], [])).toBeUndefined()
    }
    expect(computeRoot(0, [0], [one], [])).toBeUndefined()
    expect(computeRoot(3, [3], [one], [two, one])).toBeUndefined()
  })

  test('what stands behind the last leaf cannot be stated', () => {
    const leaves = leavesOf(3)
    const padded = merkleRoot(rowOf([...leaves, bytes32(9)]))
    expect(same(computeRoot(3, [2], leaves.slice(2), logOf(leaves).prove(2)), padded)).toBe(false)
    expect(
      computeRoot(3, [2], leaves.slice(2), [bytes32(9), hashPair(leaves[0] as Uint8Array, leaves[1] as Uint8Array)]),
    ).toBeUndefined()
  })

  test('a node is no leaf of a shorter tree, nor a leaf a node of a longer one', () => {
    const leaves = leavesOf(4)
    const root = merkleRoot(rowOf(leaves))
    const left = merkleRoot(rowOf(leaves.slice(0, 2)))
    const right = merkleRoot(rowOf(leaves.slice(2)))
    expect(computeRoot(2, [0], [left], [right])).toEqual(root)
    expect(computeRoot(4, [0], [left], [right])).toBeUndefined()
    expect(same(computeRoot(4, [0, 1], [left, right], [bytes32(0)]), root)).toBe(false)
  })
})

function same(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && equalBytes(a, b)
}

function nodeOf(leaves: readonly Uint8Array[], level: number, index: number): Uint8Array {
  const below = leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)
  const padded = Array.from({ length: 2 ** level }, (_, at) => below[at] ?? ZERO_HASH)
  return naiveRoot(padded)
}
