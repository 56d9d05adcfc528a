import { type Built, buildPayment, type Coin, type Coins, printOutpoint } from '@kedge/bitcoin'
import type { SignedRecord } from '@kedge/storage'
import { describe, expect, test } from 'vitest'
import { Purse } from '../src/purse.ts'
import { signedAt } from '../src/signed.ts'

const SECRET = new Uint8Array(32).fill(5)

const coinOf = (value: bigint, coinbase = false): Coin => ({
  outpoint: { txid: new Uint8Array(32).fill(Number(value % 251n)), vout: 0 },
  value,
  height: 10,
  coinbase,
})

const coinsOf = (...list: Coin[]): Coins => new Map(list.map((coin) => [printOutpoint(coin.outpoint), coin]))

function purseOf(...list: Coin[]): Purse {
  const purse = new Purse(SECRET)
  purse.setConfirmed(coinsOf(...list), 20)
  return purse
}

/** A real transaction that spends these coins. */
function spending(purse: Purse, ...coins: Coin[]): SignedRecord {
  const value = coins.reduce((sum, coin) => sum + coin.value, 0n) - 1_000n
  const built: Built = buildPayment([{ script: purse.key.script, value }], { key: purse.key, coins, feeRate: 1 })
  return signedAt(20, built)
}

const valuesOf = (coins: readonly Coin[]): bigint[] => coins.map(({ value }) => value)

describe('a purse', () => {
  const [small, middle, large] = [coinOf(10_000n), coinOf(50_000n), coinOf(900_000n)]

  test('gives the smallest coin that is enough first, then the largest', () => {
    const purse = purseOf(small, large, middle)
    expect(valuesOf(purse.spendable([], 20_000n))).toEqual([50_000n, 900_000n, 10_000n])
    expect(valuesOf(purse.spendable([], 1n))).toEqual([10_000n, 900_000n, 50_000n])
    expect(valuesOf(purse.spendable([], 1_000_000n))).toEqual([900_000n, 50_000n, 10_000n])
  })

  test('holds back what is pending, for each user by itself', () => {
    const purse = purseOf(small, large, middle)
    purse.hold('anchors', [spending(purse, small)])
    purse.hold('publications', [spending(purse, large)])
    expect(valuesOf(purse.spendable([], 1n))).toEqual([50_000n])
    expect(purse.balance).toBe(50_000n)
    purse.hold('anchors', [])
    expect(purse.balance).toBe(60_000n)
  })

  test('what stands in for a transaction takes its coins before any other', () => {
    const purse = purseOf(small, large, middle)
    const [mine, theirs] = [spending(purse, small), spending(purse, large)]
    purse.hold('anchors', [mine])
    purse.hold('publications', [theirs])
    expect(valuesOf(purse.spendable([mine], 1n))).toEqual([10_000n, 50_000n])
  })

  test('follows the blocks, back too, and waits for coinbases', () => {
    const purse = purseOf(small, coinOf(777_777n, true))
    expect(purse.balance).toBe(10_000n)
    purse.setConfirmed(coinsOf(small, coinOf(777_777n, true)), 109)
    expect(purse.balance).toBe(787_777n)
    purse.setConfirmed(coinsOf(), 9)
    expect(purse.balance).toBe(0n)
  })
})
