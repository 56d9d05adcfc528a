import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concatBytes, equalBytes } from '../src/bytes.ts'
import { hashTwice } from '../src/hash.ts'
import { type Inclusion, proveInclusion, readInclusion } from '../src/inclusion.ts'
import { coinbase, rawTransaction } from './blocks.ts'
import { bytes32 } from './world.ts'

const transactionOf = (seed: number) =>
  rawTransaction([{ txid: bytes32(seed), vout: 0 }], [{ value: BigInt(seed), script: Uint8Array.of(0x51, seed) }], seed)

/** A block's transactions: the coinbase, and `count` more. */
const blockOf = (count: number) => [coinbase(7), ...Array.from({ length: count }, (_, at) => transactionOf(at + 1))]

/** The root as Bitcoin defines it: a row of odd length repeats its last hash. */
function rootOf(row: readonly Uint8Array[]): Uint8Array {
  const [first, second] = row
  if (first === undefined || second === undefined) return first ?? bytes32(0)
  return rootOf(row.flatMap((left, at) => (at % 2 === 0 ? [hashTwice(concatBytes(left, row[at + 1] ?? left))] : [])))
}

function proofOf(count: number, index: number): { inclusion: Inclusion; root: Uint8Array } {
  const transactions = blockOf(count)
  const { helpers } = proveInclusion(transactions.map(hashTwice), index)
  const [first, transaction] = [transactions[0], transactions[index]] as [Uint8Array, Uint8Array]
  return { inclusion: { transaction, index, coinbase: first, helpers }, root: rootOf(transactions.map(hashTwice)) }
}

const leadsTo = (inclusion: Inclusion, root: Uint8Array) => {
  const read = readInclusion(inclusion)
  return read.ok && equalBytes(read.root, root)
}

function reasonOf(inclusion: Inclusion) {
  const read = readInclusion(inclusion)
  return read.ok ? 'included' : read.reason
}

describe('inclusion in a Bitcoin block', () => {
  it('leads from every transaction of blocks of any size to the root that Bitcoin defines', () => {
    for (const count of [1, 2, 3, 4, 5, 7, 8, 11, 16, 17, 33]) {
      for (let at = 1; at <= count; at++) {
        const { inclusion, root } = proofOf(count, at)
        expect(leadsTo(inclusion, root), `${at} of ${count}`).toBe(true)
      }
    }
  })

  it('fails when anything in it is another', () => {
    const { inclusion, root } = proofOf(11, 6)
    const { transaction, helpers } = inclusion
    const flip = (bytes: Uint8Array) =>
      fc.nat(8 * bytes.length - 1).map((bit) => bytes.with(bit >> 3, (bytes[bit >> 3] as number) ^ (1 << (bit & 7))))
    const changed = fc.oneof(
      flip(transaction).map((one) => ({ ...inclusion, transaction: one })),
      flip(inclusion.coinbase).map((one) => ({ ...inclusion, coinbase: one })),
      fc
        .nat(helpers.length - 1)
        .chain((at) =>
          flip(helpers[at] as Uint8Array).map((one) => ({ ...inclusion, helpers: helpers.with(at, one) })),
        ),
      fc
        .oneof(fc.nat(40), fc.integer({ min: 0, max: 0xffffffff }))
        .filter((index) => index !== 6)
        .map((index) => ({ ...inclusion, index })),
      fc.uint8Array({ maxLength: 200 }).map((one) => ({ ...inclusion, transaction: one })),
      fc
        .shuffledSubarray([...helpers])
        .filter((some) => some.length < helpers.length || some[0] !== helpers[0])
        .map((some) => ({ ...inclusion, helpers: some })),
      fc.constant({ ...inclusion, helpers: [...helpers, bytes32(0)] }),
    )
    fc.assert(
      fc.property(changed, (wrong) => {
        expect(leadsTo(wrong, root)).toBe(false)
      }),
      { numRuns: 3000 },
    )
  })

  it('knows no place behind the last transaction, where its copy is hashed', () => {
    for (const count of [2, 4, 5, 6, 9, 10, 12]) {
      const { inclusion, root } = proofOf(count, count)
      for (let index = count + 1; index < 32; index++) expect(leadsTo({ ...inclusion, index }, root)).toBe(false)
      // The path of a copy, as somebody would make it who takes it for a transaction.
      const copied = [...blockOf(count), transactionOf(count)]
      const { helpers, root: same } = proveInclusion(copied.map(hashTwice), count + 1)
      expect(equalBytes(same, root)).toBe(count % 2 === 0)
      expect(reasonOf({ ...inclusion, index: count + 1, helpers })).toBe(
        count % 2 === 0 ? 'no block has this place with these hashes' : 'included',
      )
    }
  })

  it('refuses 64 bytes that are a node, and a transaction hidden below a transaction of 64 bytes', () => {
    const { inclusion } = proofOf(4, 2)
    const node = concatBytes(...([1, 2].map((at) => hashTwice(transactionOf(at))) as [Uint8Array, Uint8Array]))
    expect(reasonOf({ ...inclusion, transaction: node })).toBe('the bytes are no transaction')

    // The block's second transaction has 64 bytes, of which the first half is the txid of one that is nowhere.
    const forged = transactionOf(99)
    const carrier = concatBytes(hashTwice(forged), bytes32(5))
    const txids = [hashTwice(coinbase(7)), hashTwice(carrier)]
    const root = rootOf(txids)
    const below = { transaction: forged, index: 2, coinbase: coinbase(7) }
    const [first, second] = txids as [Uint8Array, Uint8Array]
    const known = [first, second, bytes32(5), bytes32(0)]
    for (const one of known)
      for (const two of known)
        for (const helpers of [[], [one], [one, two], [one, two, first], [one, two, second], [one, bytes32(5), two]])
          for (const index of [1, 2, 3]) expect(leadsTo({ ...below, index, helpers }, root)).toBe(false)
  })

  it('refuses the coinbase itself, witnesses, and another first transaction', () => {
    const { inclusion } = proofOf(3, 1)
    expect(reasonOf({ ...inclusion, transaction: inclusion.coinbase, index: 0 })).toContain('no block has this place')
    expect(reasonOf({ ...inclusion, coinbase: transactionOf(1) })).toContain('no coinbase')
    const { transaction } = inclusion
    const witnessed = concatBytes(
      ...[transaction.subarray(0, 4), Uint8Array.of(0, 1), transaction.subarray(4, -4)],
      ...[Uint8Array.of(0), transaction.subarray(-4)],
    )
    expect(reasonOf({ ...inclusion, transaction: witnessed })).toContain('no transaction')
    expect(reasonOf({ ...inclusion, transaction: concatBytes(transaction, Uint8Array.of(0)) })).toContain(
      'no transaction',
    )
  })

  it('refuses trees that are deeper than any block’s', () => {
    const { inclusion } = proofOf(3, 1)
    const helpers = (count: number) => Array.from({ length: count }, (_, at) => bytes32(at + 1))
    expect(reasonOf({ ...inclusion, helpers: helpers(14) })).toBe('included')
    expect(reasonOf({ ...inclusion, helpers: helpers(15) })).toContain('no block has this place')
  })
})
