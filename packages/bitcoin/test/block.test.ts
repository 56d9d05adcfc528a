import { toHex } from '@kedge/core'
import { Block, Transaction } from 'bitcoinjs-lib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MalformedBlockError, readBlock, readTransaction } from '../src/block.ts'

function transactionOf(seed: number, witness: Uint8Array[]): Transaction {
  const transaction = new Transaction()
  transaction.version = 2
  transaction.addInput(new Uint8Array(32).fill(seed), seed)
  transaction.addInput(new Uint8Array(32).fill(seed + 1), 0xffffffff)
  if (witness.length > 0) transaction.setWitness(1, witness)
  transaction.addOutput(new Uint8Array(34).fill(seed), 2_100_000_000_000_000n)
  transaction.addOutput(new Uint8Array(0), 0n)
  return transaction
}

function blockOf(transactions: Transaction[]): Uint8Array {
  const block = new Block()
  block.prevHash = new Uint8Array(32).fill(4)
  block.merkleRoot = Block.calculateMerkleRoot(transactions)
  block.transactions = transactions
  return block.toBuffer(false)
}

const some = (count: number): Transaction[] =>
  Array.from({ length: count }, (_, seed) =>
    transactionOf(seed, seed % 2 === 0 ? [] : [new Uint8Array(seed), new Uint8Array(0)]),
  )

describe('a block', () => {
  test.each([1, 2, 3, 4, 5, 7, 8, 9, 255, 300])('of %i transactions', (count) => {
    const transactions = some(count > 200 ? 200 : count)
    const all = Array.from({ length: count }, (_, at) => transactions[at % transactions.length] as Transaction)
    const raw = blockOf(all)
    const block = readBlock(raw, 812)
    expect(block.height).toBe(812)
    expect(toHex(block.hash)).toBe(toHex(Block.fromBuffer(raw).getHash()))
    expect(block.parent).toEqual(new Uint8Array(32).fill(4))
    expect(block.transactions.map(({ txid }) => toHex(txid))).toEqual(
      all.map((transaction) => toHex(transaction.getHash())),
    )
  })

  test('inputs, witnesses and outputs come through as they are', () => {
    const raw = blockOf(some(4))
    const { inputs, outputs } = readBlock(raw, 1).transactions[3] ?? { inputs: [], outputs: [] }
    expect(inputs).toEqual([
      { previous: { txid: new Uint8Array(32).fill(3), vout: 3 }, witness: [] },
      {
        previous: { txid: new Uint8Array(32).fill(4), vout: 0xffffffff },
        witness: [new Uint8Array(3), new Uint8Array(0)],
      },
    ])
    expect(outputs).toEqual([
      { value: 2_100_000_000_000_000n, script: new Uint8Array(34).fill(3) },
      { value: 0n, script: new Uint8Array(0) },
    ])
  })

  test('keeps nothing of the raw bytes', () => {
    const raw = blockOf(some(2))
    const before = readBlock(raw, 1)
    const copy = structuredClone(before)
    raw.fill(0)
    expect(before).toEqual(copy)
  })

  test('another transaction than the header commits to is refused', () => {
    const raw = blockOf(some(5))
    raw[raw.length - 1] = 9
    expect(() => readBlock(raw, 1)).toThrow(/not those of the header/)
  })

  test('cut short, drawn out or empty it is refused, and nothing else is thrown', () => {
    const raw = blockOf(some(3))
    for (let size = 0; size < raw.length; size++)
      expect(() => readBlock(raw.slice(0, size), 1)).toThrow(MalformedBlockError)
    expect(() => readBlock(Uint8Array.of(...raw, 0), 1)).toThrow(MalformedBlockError)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(() => readBlock(bytes, 1)).toThrow(MalformedBlockError)
      }),
    )
  })
})

describe('a transaction', () => {
  test('reads as it does in its block', () => {
    const transaction = transactionOf(6, [new Uint8Array(80).fill(1)])
    expect(readTransaction(transaction.toBuffer())).toEqual(readBlock(blockOf([transaction]), 1).transactions[0])
  })

  test('with a byte too many is refused', () => {
    expect(() => readTransaction(Uint8Array.of(...transactionOf(6, []).toBuffer(), 0))).toThrow(MalformedBlockError)
  })
})
