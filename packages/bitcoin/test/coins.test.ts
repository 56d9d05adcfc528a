import type { L1Transaction, Outpoint } from '@kedge/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  applyUnconfirmed,
  type Coins,
  dustLimit,
  NO_COINS,
  printOutpoint,
  scanBlock,
  spendableCoins,
} from '../src/coins.ts'
import { coinKey } from '../src/keys.ts'
import { blockOf, secretOf, transactionOf } from './network.ts'

const OWN = coinKey(secretOf(5)).script
const OTHER = coinKey(secretOf(6)).script
const NOWHERE = { txid: new Uint8Array(32), vout: 0xffffffff }

const spend = (...outpoints: Outpoint[]) => outpoints.map((previous) => ({ previous, witness: [] }))
const pay = (script: Uint8Array, ...values: bigint[]) => values.map((value) => ({ script, value }))
const coinbase = (seed: number, script = OTHER): L1Transaction =>
  transactionOf(seed, { inputs: spend(NOWHERE), outputs: pay(script, 50n) })
const values = (coins: Coins): bigint[] => [...coins.values()].map(({ value }) => value)

describe('scanning', () => {
  test('takes what pays the script, and drops what is spent', () => {
    const first = transactionOf(1, { outputs: [...pay(OTHER, 9n), ...pay(OWN, 1n, 2n)] })
    const before = scanBlock(NO_COINS, blockOf(5, coinbase(9), first), OWN)
    expect([...before.values()]).toEqual([
      { outpoint: { txid: first.txid, vout: 1 }, value: 1n, height: 5, coinbase: false },
      { outpoint: { txid: first.txid, vout: 2 }, value: 2n, height: 5, coinbase: false },
    ])
    const second = transactionOf(2, { inputs: spend({ txid: first.txid, vout: 1 }), outputs: pay(OWN, 4n) })
    expect(values(scanBlock(before, blockOf(6, coinbase(8), second), OWN))).toEqual([2n, 4n])
    expect(values(before)).toEqual([1n, 2n])
  })

  test('a coin that comes and goes within a block leaves none', () => {
    const first = transactionOf(1, { outputs: pay(OWN, 3n) })
    const second = transactionOf(2, { inputs: spend({ txid: first.txid, vout: 0 }), outputs: pay(OTHER, 3n) })
    expect(scanBlock(NO_COINS, blockOf(1, coinbase(9), first, second), OWN).size).toBe(0)
  })

  test('a block without them gives the very same coins', () => {
    const coins = scanBlock(NO_COINS, blockOf(1, coinbase(1, OWN)), OWN)
    expect(scanBlock(coins, blockOf(2, coinbase(2), transactionOf(3, { outputs: pay(OTHER, 1n) })), OWN)).toBe(coins)
  })

  test('what is left is what was paid less what was spent', () => {
    // Each number pays a coin of its own; each pair lets a later transaction spend the coin of an earlier one.
    const history = fc.array(
      fc.record({ value: fc.bigInt(1n, 100n), own: fc.boolean(), spends: fc.option(fc.nat(30)) }),
      { maxLength: 40 },
    )
    fc.assert(
      fc.property(history, (steps) => {
        const unspent = new Map<number, bigint>()
        let coins = NO_COINS
        steps.forEach(({ value, own, spends }, seed) => {
          const from = spends !== null && spends < seed ? { txid: new Uint8Array(32).fill(spends), vout: 0 } : NOWHERE
          const transaction = transactionOf(seed, { inputs: spend(from), outputs: pay(own ? OWN : OTHER, value) })
          coins = scanBlock(coins, blockOf(seed, coinbase(200), transaction), OWN)
          if (from !== NOWHERE) unspent.delete(spends as number)
          if (own) unspent.set(seed, value)
        })
        expect(values(coins)).toEqual([...unspent.values()])
      }),
    )
  })
})

describe('spending', () => {
  const confirmed = scanBlock(
    NO_COINS,
    blockOf(10, coinbase(1, OWN), transactionOf(2, { outputs: pay(OWN, 7n, 30n, 7n) })),
    OWN,
  )

  test('confirmed coins first, the largest first, and always in the same order', () => {
    const coins = applyUnconfirmed(confirmed, transactionOf(3, { outputs: pay(OWN, 99n, 100n) }), OWN)
    const order = spendableCoins(coins, 109).map(({ value, outpoint }) => [value, outpoint.vout])
    expect(order).toEqual([
      [50n, 0],
      [30n, 1],
      [7n, 0],
      [7n, 2],
      [100n, 1],
      [99n, 0],
    ])
    expect(spendableCoins(new Map([...coins].reverse()), 109)).toEqual(spendableCoins(coins, 109))
  })

  test('a coinbase matures in the hundredth block after its own', () => {
    expect(spendableCoins(confirmed, 108).map(({ value }) => value)).toEqual([30n, 7n, 7n])
    expect(spendableCoins(confirmed, 109).map(({ value }) => value)).toEqual([50n, 30n, 7n, 7n])
  })

  test('own change counts before it is confirmed, what it spent does not', () => {
    const sent = transactionOf(3, {
      inputs: spend({ txid: new Uint8Array(32).fill(2), vout: 1 }),
      outputs: [...pay(OTHER, 9n), ...pay(OWN, 20n)],
    })
    const coins = applyUnconfirmed(confirmed, sent, OWN)
    expect(spendableCoins(coins, 10)).toEqual([
      expect.objectContaining({ value: 7n, height: 10 }),
      expect.objectContaining({ value: 7n, height: 10 }),
      { outpoint: { txid: sent.txid, vout: 1 }, value: 20n, height: undefined, coinbase: false },
    ])
  })
})

test('an outpoint prints as bitcoind prints it', () => {
  const txid = Uint8Array.from({ length: 32 }, (_, at) => at)
  expect(printOutpoint({ txid, vout: 3 })).toBe('1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100:3')
})

// Bitcoin Core's figures at its dust relay fee of 3 sat/vB.
test.each([
  ['p2tr', `5120${'11'.repeat(32)}`, 330n],
  ['p2wsh', `0020${'11'.repeat(32)}`, 330n],
  ['p2wpkh', `0014${'11'.repeat(20)}`, 294n],
  ['p2pkh', `76a914${'11'.repeat(20)}88ac`, 546n],
  ['p2sh', `a914${'11'.repeat(20)}87`, 540n],
  ['OP_RETURN', '6a020102', 0n],
])('dust of %s', (_, script, limit) => {
  expect(dustLimit(new Uint8Array(Buffer.from(script, 'hex')))).toBe(limit)
})
