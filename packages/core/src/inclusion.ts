import { concatBytes, equalBytes, isZero } from './bytes.ts'
import { hashTwice } from './hash.ts'
import type { L1Transaction } from './l1.ts'
import { decodeStripped } from './stripped.ts'

/**
 * That a transaction stands in a Bitcoin block. The tree there does not say how many leaves it has, and its nodes are as
 * long as the shortest transactions; so the block's first transaction is shown beside the other, at the same depth, and
 * none of 64 bytes is taken (CVE-2017-12842).
 */
export interface Inclusion {
  /** Without witnesses, as the coinbase. */
  readonly transaction: Uint8Array
  /** In the block; never 0, which is the coinbase's. */
  readonly index: number
  readonly coinbase: Uint8Array
  /** From the leaves up: at each level the coinbase's sibling, then the transaction's, until the two are siblings. */
  readonly helpers: readonly Uint8Array[]
}

/** A block of 4,000,000 weight units has at most 16,666 transactions of 60 bytes. */
const MAX_DEPTH = 15

/** Bitcoin's limit on a transaction without witnesses. */
export const MAX_TRANSACTION_BYTES = 1_000_000

/** More helpers than any inclusion has. */
export const MAX_INCLUSION_HELPERS = 2 * MAX_DEPTH

export type Included =
  | { readonly ok: true; readonly transaction: L1Transaction; readonly root: Uint8Array }
  | { readonly ok: false; readonly reason: string }

/** The transaction, and the Merkle root of the block that it is in. */
export function readInclusion({ transaction: raw, index, coinbase, helpers }: Inclusion): Included {
  const transaction = decodeStripped(raw)
  const first = decodeStripped(coinbase)
  if (transaction === undefined || first === undefined) return { ok: false, reason: 'the bytes are no transaction' }
  if (!isCoinbase(first)) return { ok: false, reason: 'the block’s first transaction is no coinbase' }
  const root = rootOver(first.txid, transaction.txid, index, helpers)
  return root === undefined
    ? { ok: false, reason: 'no block has this place with these hashes' }
    : { ok: true, transaction, root }
}

function isCoinbase({ inputs: [input, second] }: L1Transaction): boolean {
  return (
    input !== undefined && second === undefined && isZero(input.previous.txid) && input.previous.vout === 0xffffffff
  )
}

/**
 * Undefined where the helpers are fewer than the index needs, or more than a block's tree has, or where a right node
 * equals its left neighbour: Bitcoin repeats the last hash of a row, and nothing stands at the place of the copy.
 */
function rootOver(
  first: Uint8Array,
  leaf: Uint8Array,
  index: number,
  helpers: readonly Uint8Array[],
): Uint8Array | undefined {
  const apart = levelsApart(index)
  const depth = helpers.length - apart + 1
  if (index < 1 || depth <= apart || depth > MAX_DEPTH) return undefined
  let [left, node, at] = [first, leaf, index]
  for (let level = 0; level < apart; level++) {
    const [beside, sibling] = [helpers[2 * level] as Uint8Array, helpers[2 * level + 1] as Uint8Array]
    const isRight = at % 2 === 1
    if (isRight && equalBytes(node, sibling)) return undefined
    left = hashTwice(concatBytes(left, beside))
    node = hashTwice(isRight ? concatBytes(sibling, node) : concatBytes(node, sibling))
    at >>= 1
  }
  if (equalBytes(left, node)) return undefined
  return helpers
    .slice(2 * apart)
    .reduce((joined, right) => hashTwice(concatBytes(joined, right)), hashTwice(concatBytes(left, node)))
}

/** Levels at which the paths of leaf 0 and of leaf `index` have siblings of their own. */
function levelsApart(index: number): number {
  return Math.max(0, 31 - Math.clz32(index))
}

/** The helpers for one of a block's transactions, and the block's Merkle root. @param index at least 1 */
export function proveInclusion(
  txids: readonly Uint8Array[],
  index: number,
): { readonly root: Uint8Array; readonly helpers: Uint8Array[] } {
  const helpers: Uint8Array[] = []
  let [row, at] = [txids, index]
  while (row.length > 1) {
    const nodeAt = (place: number) => row[Math.min(place, row.length - 1)] as Uint8Array
    if (at !== 1) helpers.push(nodeAt(1))
    if (at > 1) helpers.push(nodeAt(at ^ 1))
    row = Array.from({ length: Math.ceil(row.length / 2) }, (_, pair) =>
      hashTwice(concatBytes(nodeAt(2 * pair), nodeAt(2 * pair + 1))),
    )
    at >>= 1
  }
  return { root: row[0] as Uint8Array, helpers }
}
