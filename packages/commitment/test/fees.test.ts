import { InsufficientFundsError } from '@kedge/bitcoin'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildPaying, descending, feeRate, firstAffordable, type Paid, rateOf } from '../src/fees.ts'

const rate = fc.double({ min: 0.1, max: 500, noNaN: true })
const blocks = fc.integer({ min: 1, max: 1000 })

describe('the fee rate', () => {
  test('is the estimate at first and the cap at the deadline and later', () => {
    expect(feeRate(5, 0, 144, 100)).toBe(5)
    expect(feeRate(5, 72, 144, 100)).toBeCloseTo(Math.sqrt(500))
    expect([144, 145, 9_999].map((age) => feeRate(5, age, 144, 100))).toEqual([100, 100, 100])
  })

  test('never falls with age or with the estimate, and stays between the estimate and the cap', () => {
    fc.assert(
      fc.property(rate, rate, blocks, fc.nat(1200), (estimate, cap, deadline, age) => {
        const now = feeRate(estimate, age, deadline, cap)
        expect(now).toBeLessThanOrEqual(cap * (1 + 1e-9))
        expect(now).toBeGreaterThanOrEqual(Math.min(estimate, cap) * (1 - 1e-9))
        expect(feeRate(estimate, age + 1, deadline, cap)).toBeGreaterThanOrEqual(now * (1 - 1e-9))
        expect(feeRate(estimate * 2, age, deadline, cap)).toBeGreaterThanOrEqual(now * (1 - 1e-9))
      }),
    )
  })

  test('an estimate above the cap is cut to it', () => {
    expect(feeRate(300, 0, 144, 100)).toBe(100)
  })
})

/** As the builders do it: one more coin, and the transaction is 58 vB larger. */
function built(wanted: number, coins: readonly bigint[]): Paid & { readonly coins: number } {
  for (let taken = 0; taken <= coins.length; taken++) {
    const vsize = 195 + 58 * taken
    const fee = BigInt(Math.ceil(vsize * wanted))
    const money = coins.slice(0, taken).reduce((sum, value) => sum + value, 2_000n)
    if (money >= fee) return { fee, vsize, coins: taken }
  }
  throw new InsufficientFundsError(0n, 0n, wanted)
}

describe('a package', () => {
  test('a child pays for its ancestors, whatever coins that takes', () => {
    const ancestors = Array.from({ length: 19 }, () => ({ fee: 195n, vsize: 195 }))
    const coins = Array.from({ length: 40 }, () => 10_000n)
    const child = buildPaying((own) => built(own, coins), 20, ancestors)
    expect(child.coins).toBeGreaterThan(5)
    expect(rateOf([...ancestors, child])).toBeGreaterThanOrEqual(20 * 0.999)
    expect(rateOf([...ancestors, child])).toBeLessThan(22)
  })

  test('a child of dear ancestors pays the target all the same', () => {
    const child = buildPaying((own) => built(own, []), 3, [{ fee: 100_000n, vsize: 195 }])
    expect(rateOf([child])).toBeCloseTo(3, 1)
  })

  test('a replacement pays for its own relay beside what it replaces', () => {
    const child = buildPaying((own) => built(own, [10_000n]), 1, [], { fee: 1_000n, vsize: 195 })
    expect(child.fee).toBeGreaterThanOrEqual(1_000n + BigInt(child.vsize))
  })

  test('when the purse is low a lower rate is found, never one below the least', () => {
    const attempt = (least: number) => firstAffordable(descending(100, least), (own) => built(own, []))
    expect(rateOf([attempt(1) as Paid])).toBeGreaterThan(6)
    expect(attempt(50)).toBeUndefined()
    expect(descending(10, 10)).toEqual([10])
    expect(() => firstAffordable([1], () => expect.fail('another error'))).toThrow('another error')
  })
})
