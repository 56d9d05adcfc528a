import { encodeAccount } from '../../src/cell.ts'
import { sha256, ZERO_HASH, zeroHash } from '../../src/hash.ts'
import { computeRoot, depthOf, MerkleLog, merkleRoot, rowOf } from '../../src/merkle.ts'
import { encodeTotals, GENESIS_ROOT, GENESIS_TOTALS, stateRoot } from '../../src/totals.ts'
import { CellTree } from '../../src/tree.ts'
import { accountOf, bytes32, totalsOf } from '../world.ts'
import { type Json, toJson } from './json.ts'

const COUNTS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 127, 128, 129]

/** Leaf i of a vector: SHA-256 of i as a u32. */
export function leafAt(index: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, index, true)
  return sha256(bytes)
}

function logOf(count: number): MerkleLog {
  const log = new MerkleLog()
  log.append(rowOf(Array.from({ length: count }, (_, at) => leafAt(at))))
  return log
}

function proofOf(name: string, count: number, indices: readonly number[], helpers: readonly Uint8Array[]): Json {
  const root = computeRoot(count, indices, indices.map(leafAt), helpers)
  return { name, count, indices: [...indices], helpers: toJson(helpers), root: toJson(root) }
}

function runs(count: number): Json[] {
  const log = logOf(count)
  const wanted = [
    [0, 1],
    [count - 1, 1],
    [Math.floor(count / 2), 1],
    [0, count],
    [Math.floor(count / 3), Math.ceil(count / 3)],
  ] as const
  const unique = wanted.filter(
    ([start, size], at) => wanted.findIndex((other) => other[0] === start && other[1] === size) === at,
  )
  return unique.map(([start, size]) => {
    const indices = Array.from({ length: size }, (_, at) => start + at)
    return proofOf(`${size} from ${start}`, count, indices, log.prove(start, size))
  })
}

function refused(): Json[] {
  const helpers = logOf(5).prove(1)
  const [first = ZERO_HASH, ...rest] = helpers
  return [
    proofOf('a helper missing', 5, [1], rest),
    proofOf('a helper too many', 5, [1], [...helpers, ZERO_HASH]),
    proofOf('helpers for what stands behind the last leaf', 5, [4], [ZERO_HASH, zeroHash(1), first]),
    proofOf('an index behind the last leaf', 5, [5], helpers),
    proofOf('an index twice', 5, [1, 1], helpers),
    proofOf('indices that descend', 5, [1, 0], rest),
    proofOf('no leaf', 5, [], helpers),
    proofOf('no tree', 0, [0], []),
  ]
}

export function treeVectors(): Json {
  return {
    about:
      'roots and proofs over leaf i = SHA-256 of i as a little-endian u32; a proof that is refused has the root null',
    zeros: [0, 1, 2, 47].map((level) => ({ level, hash: toJson(zeroHash(level)) })),
    roots: COUNTS.map((count) => ({
      count,
      depth: depthOf(count),
      root: toJson(merkleRoot(rowOf(Array.from({ length: count }, (_, at) => leafAt(at))))),
    })),
    proofs: [1, 2, 3, 4, 5, 7, 8, 9, 16, 17].flatMap(runs),
    refused: refused(),
  }
}

/** A tree of cells: cell i is owned by 32 bytes of i and holds i msat. */
function cellTree(count: number): CellTree {
  const tree = new CellTree()
  for (let cell = 0; cell < count; cell++) tree.put(cell, accountOf(bytes32(cell), BigInt(cell)))
  tree.rehashAll()
  return tree
}

export function stateVectors(): Json {
  const states = [0, 1, 2, 3, 4, 5, 7, 8, 9, 16].map((count) => {
    const tree = cellTree(count)
    const accounts = Array.from({ length: count }, (_, cell) => accountOf(bytes32(cell), BigInt(cell)))
    const totals = totalsOf(accounts, 3n)
    return {
      count,
      cellsRoot: toJson(tree.root()),
      totals: toJson(encodeTotals(totals)),
      stateRoot: toJson(stateRoot(tree.root(), totals)),
      proofOfAbsence: toJson(tree.prove([count])),
      nextCell: toJson(encodeAccount(accountOf(bytes32(count), BigInt(count)))),
      rootWithIt: toJson(cellTree(count + 1).root()),
    }
  })
  const genesis = { totals: toJson(encodeTotals(GENESIS_TOTALS)), stateRoot: toJson(GENESIS_ROOT) }
  return {
    about:
      'states of cells, cell i owned by 32 bytes of i and holding i msat, with 3 msat of fees; and the absence of the next cell, in the tree of the new depth',
    genesis,
    states,
  }
}
