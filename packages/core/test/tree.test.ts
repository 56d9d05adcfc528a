import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toHex } from '../src/bytes.ts'
import { encodeAccount } from '../src/cell.ts'
import { hashPair, hashRecord, ZERO_HASH, zeroHash } from '../src/hash.ts'
import { computeRoot, depthOf, rowOf } from '../src/merkle.ts'
import { CellTree } from '../src/tree.ts'
import { naiveRoot } from './model.ts'
import { accountOf, quickKey } from './world.ts'

const COUNTS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65]
const accountAt = (cell: number, balance = 0) => accountOf(quickKey(cell), BigInt(balance))
const leafOf = (cell: number, balance = 0) => hashRecord(encodeAccount(accountAt(cell, balance)))

function treeOf(count: number): CellTree {
  const tree = new CellTree()
  for (let cell = 0; cell < count; cell++) tree.put(cell, accountAt(cell))
  tree.rehashAll()
  return tree
}

describe('a tree loaded at once', () => {
  test.each(COUNTS)('of %i cells has the plain root', (count) => {
    const leaves = Array.from({ length: count }, (_, cell) => leafOf(cell))
    expect(toHex(treeOf(count).root())).toBe(toHex(naiveRoot(leaves)))
  })

  test.each(COUNTS.slice(1))('of %i cells proves each of them, and pairs', (count) => {
    const tree = treeOf(count)
    for (let cell = 0; cell < count; cell++) {
      expect(computeRoot(count, [cell], [leafOf(cell)], tree.prove([cell]))).toEqual(tree.root())
      const other = (cell + Math.floor(count / 2)) % count
      const pair = [...new Set([cell, other])].sort((a, b) => a - b)
      expect(
        computeRoot(
          count,
          pair,
          pair.map((at) => leafOf(at)),
          tree.prove(pair),
        ),
      ).toEqual(tree.root())
    }
  })

  test.each(COUNTS)('of %i cells proves that the next is absent, in the tree it will be part of', (count) => {
    const tree = treeOf(count)
    const [depth, depthAfter] = [depthOf(count), depthOf(count + 1)]
    const grown = depthAfter > depth ? hashPair(tree.root(), zeroHash(depth)) : tree.root()
    expect(computeRoot(count + 1, [count], [ZERO_HASH], tree.prove([count]))).toEqual(grown)
    expect(toHex(computeRoot(count + 1, [count], [leafOf(count)], tree.prove([count])) ?? ZERO_HASH)).toBe(
      toHex(treeOf(count + 1).root()),
    )
    if (count === 0) return
    const both = tree.prove([0, count])
    expect(computeRoot(count + 1, [0, count], [leafOf(0), ZERO_HASH], both)).toEqual(grown)
  })
})

describe('cells', () => {
  test('are read back, a copy each', () => {
    const tree = treeOf(3)
    const bytes = tree.bytes(1)
    bytes.fill(0)
    tree.account(1).owner.fill(0)
    expect(tree.account(1)).toEqual(accountAt(1))
    expect(toHex(tree.page(1, 2))).toBe(toHex(tree.bytes(1)) + toHex(tree.bytes(2)))
    expect(tree.page(2, 10).length).toBe(64)
  })

  test('that are not there never read as empty', () => {
    const tree = treeOf(3)
    expect(() => tree.account(3)).toThrow('cell 3 was not supplied')
    expect(() => tree.bytes(3)).toThrow('cell 3 was not supplied')
    expect(() => tree.put(4, accountAt(4))).toThrow('cell 4 was not supplied')
    tree.truncate(1)
    expect(() => tree.account(1)).toThrow('cell 1 was not supplied')
  })
})

/** Steps that each change a few cells, some of them new. */
const steps = fc.array(fc.array(fc.record({ cell: fc.nat(200), balance: fc.nat(1000) }), { maxLength: 3 }), {
  minLength: 1,
  maxLength: 20,
  size: 'max',
})

test('rehashing many steps at once gives the plain root after each of them', () => {
  fc.assert(
    fc.property(fc.nat(35), steps, (before, list) => {
      const tree = treeOf(before)
      const leaves = Array.from({ length: before }, (_, cell) => leafOf(cell))
      const log = { cell: [] as number[], step: [] as number[], leaves: [] as Uint8Array[] }
      const [roots, counts]: [string[], number[]] = [[], []]
      for (const [step, changes] of list.entries()) {
        for (const { cell: wish, balance } of changes) {
          const cell = wish % (leaves.length + 1)
          tree.put(cell, accountAt(cell, balance))
          leaves[cell] = leafOf(cell, balance)
          log.cell.push(cell)
          log.step.push(step)
          log.leaves.push(leafOf(cell, balance))
        }
        roots.push(toHex(naiveRoot(leaves)))
        counts.push(leaves.length)
      }
      const versions = { count: log.cell.length, cell: log.cell, step: log.step, leaves: rowOf(log.leaves) }
      const row = tree.rehash(versions, list.length, (step) => counts[step] as number)
      expect(roots).toEqual(list.map((_, step) => toHex(row.slice(32 * step, 32 * step + 32))))
      const anew = treeOf(0)
      for (let cell = 0; cell < tree.count; cell++) anew.putBytes(cell, tree.bytes(cell))
      anew.rehashAll()
      const all = Array.from({ length: depthOf(tree.count) + 1 }, (_, level) => level)
      for (const level of all)
        for (let index = 0; index * 2 ** level < tree.count; index++)
          expect(toHex(tree.nodeAt(level, index))).toBe(toHex(anew.nodeAt(level, index)))
    }),
    { numRuns: 150 },
  )
})

describe('the lowest cell that may have changed hands', () => {
  const bytesOf = (owner: number) => encodeAccount(accountAt(owner, 7))

  test('is told once, and is none where cells are only appended or paid', () => {
    const tree = treeOf(4)
    tree.put(2, accountAt(2, 9))
    tree.putBytes(3, bytesOf(3))
    tree.putBytes(4, bytesOf(4))
    tree.truncate(5)
    expect(tree.takeOwnerChanges()).toBe(Number.POSITIVE_INFINITY)
    tree.truncate(3)
    expect([tree.takeOwnerChanges(), tree.takeOwnerChanges()]).toEqual([3, Number.POSITIVE_INFINITY])
  })

  test('is the lowest of all that were taken back or overwritten with another owner', () => {
    const tree = treeOf(5)
    tree.truncate(3)
    tree.put(3, accountAt(9))
    tree.putBytes(1, bytesOf(8))
    tree.truncate(2)
    expect(tree.takeOwnerChanges()).toBe(1)
  })
})
