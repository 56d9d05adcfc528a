import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Claim } from '../src/claim.ts'
import type { Deposit } from '../src/deposit.ts'
import { decodeMessage } from '../src/message.ts'
import { maySweep, plannedVbytes, planPayout, planSweep, type VaultPlan } from '../src/payout.ts'
import { dataCarrier, depositOutput, vaultScript } from '../src/scripts.ts'
import { genesisVault, type Vault } from '../src/vault.ts'
import { REFUND_KEY } from './bitcoin.ts'
import { bytes32, CASES, keyOf, params, payoutScript } from './world.ts'

const HEADER = bytes32(9)
const vault: Vault = { ...genesisVault(params), value: 10_000_000n }
const claim = (number: number, more: Partial<Claim> = {}): Claim => {
  return { number, script: payoutScript(number & 255), amount: 50_000n, payoutFee: 1_000n, ...more }
}
const claims = (count: number) => Array.from({ length: count }, (_, at) => claim(at))
const plan = (list: readonly Claim[], feeRate = 1_000n, from = vault) => planPayout(params, from, list, HEADER, feeRate)

/** Satoshis in, less satoshis out. */
function feeOf({ inputs, outputs }: VaultPlan): bigint {
  const total = (list: readonly { readonly value: bigint }[]) => list.reduce((sum, { value }) => sum + value, 0n)
  return total(inputs) - total(outputs)
}

describe('a payout', () => {
  test('head, tag, then each claim less the same share', () => {
    const { inputs, outputs, fee, claims: numbers } = plan([claim(3), claim(5, { amount: 60_000n })]) as VaultPlan
    expect(inputs.map(({ previous }) => previous)).toEqual([vault.head])
    expect(outputs[0]).toEqual({ script: vaultScript(params), value: 9_890_000n })
    const tag = dataCarrier(outputs[1]?.script ?? new Uint8Array(0)) as Uint8Array
    expect(decodeMessage(tag)).toEqual({ kind: 'payout', headerHash: HEADER, claims: [3, 5] })
    expect(outputs.slice(2)).toEqual([
      { script: payoutScript(3), value: 50_000n - fee / 2n },
      { script: payoutScript(5), value: 60_000n - fee / 2n },
    ])
    expect(numbers).toEqual([3, 5])
  })

  test('with 3 of 5 watchers takes no more than 260 vB, and 43 for each claim', () => {
    const wide = { ...params, keys: { ...params.keys, watchers: [11, 12, 13, 14, 15].map(keyOf), threshold: 3 } }
    const sizes = [1, 2, 20].map((count) => {
      const { inputs, outputs } = planPayout(wide, vault, claims(count), HEADER, 1_000n) as VaultPlan
      return plannedVbytes(wide, inputs, outputs)
    })
    expect(sizes).toEqual([292, 335, 1_111])
  })

  test('is the same for everybody, in whatever order claims are given', () => {
    expect(plan(claims(9).reverse())).toEqual(plan(claims(9)))
  })

  test('skips what was paid, and what can’t bear its share', () => {
    const list = [claim(0), claim(1, { payoutFee: 100n }), claim(2), claim(3)]
    const paid = {
      ...vault,
      paid: [
        [0, 1],
        [3, 4],
      ] as const,
    }
    expect(plan(list, 1_000n, paid)?.claims).toEqual([2])
    expect(plan([claim(1, { payoutFee: 100n })])).toBeUndefined()
    expect(plan([])).toBeUndefined()
  })

  test('pays a poor claim in company, and at a lower rate', () => {
    const poor = claim(0, { payoutFee: 100n })
    expect(plan([poor], 100n)?.claims).toEqual([0])
    expect(plan([poor, ...claims(30).slice(1)])?.claims).toEqual(claims(30).map(({ number }) => number))
  })

  test('one that can’t be paid holds nobody up', () => {
    const list = claims(700).map((one) => (one.number % 2 === 0 ? { ...one, payoutFee: 1n } : one))
    const numbers = plan(list)?.claims ?? []
    expect(numbers.length).toBe(156)
    expect(numbers.slice(0, 3)).toEqual([1, 3, 5])
    const hopeless = claims(400).map((one) => (one.number < 350 ? { ...one, payoutFee: 1n } : one))
    expect(plan(hopeless)?.claims[0]).toBe(350)
  })

  test('of version 3 is no larger than relay takes, and leaves the rest, of the lowest limits, for the next', () => {
    const wealthy = { ...vault, value: 100_000_000n }
    const list = claims(312).map((one) => ({ ...one, payoutFee: 1_000n + BigInt(one.number) }))
    const first = plan(list, 1_000n, wealthy) as VaultPlan
    expect([first.version, first.claims.length, first.claims[0], first.claims.at(-1)]).toEqual([3, 226, 86, 311])
    const size = plannedVbytes(params, first.inputs, first.outputs)
    expect(size).toBeLessThanOrEqual(10_000)
    expect(size + 43).toBeGreaterThan(10_000)
    const next = { ...wealthy, paid: [[86, 312]] as const }
    expect(plan(list, 1_000n, next)?.claims).toEqual(claims(86).map(({ number }) => number))
  })

  test('leaves the head no less than dust; from a vault that has ended nothing', () => {
    const [one, two] = claims(2) as [Claim, Claim]
    expect(plan([one, two], 1_000n, { ...vault, value: 100_546n })?.claims).toEqual([0, 1])
    expect(plan([one, two], 1_000n, { ...vault, value: 100_545n })?.claims).toEqual([0])
    expect(plan([one, two], 1_000n, { ...vault, value: 50_545n })).toBeUndefined()
    expect(plan([one], 1_000n, { ...vault, closedAt: 5 })).toBeUndefined()
  })

  test('whatever the claims and the rate: nobody bears more than the limit, the fee fits, nothing is dust', () => {
    const some = fc.array(
      fc.record({
        gap: fc.integer({ min: 1, max: 200 }),
        limit: fc.bigInt({ min: 100n, max: 3_000n }),
        more: fc.nat(100_000),
      }),
      { maxLength: 40 },
    )
    fc.assert(
      fc.property(
        some,
        fc.bigInt({ min: 1n, max: 30_000n }),
        fc.bigInt({ min: 546n, max: 2_000_000n }),
        (list, rate, value) => {
          let number = 0
          const made = list.map(({ gap, limit, more }) => {
            number += gap
            return claim(number, { payoutFee: limit, amount: params.fees.dust + limit + BigInt(more) })
          })
          const planned = plan(made, rate, { ...vault, value })
          if (planned === undefined) return
          const { inputs, outputs, fee, claims: numbers } = planned
          expect(feeOf(planned)).toBe(fee)
          expect(fee * 1000n).toBeGreaterThanOrEqual(BigInt(plannedVbytes(params, inputs, outputs)) * rate)
          expect(outputs.every(({ value: out }, at) => at === 1 || out >= params.fees.dust)).toBe(true)
          const share = fee / BigInt(numbers.length)
          for (const one of made) if (numbers.includes(one.number)) expect(share).toBeLessThanOrEqual(one.payoutFee)
        },
      ),
      { numRuns: Math.ceil(CASES / 10) },
    )
  })
})

const deposit = (height: number, value = 20_000n): Deposit => {
  return { position: { height, tx: 1, index: 0 }, txid: bytes32(height), key: bytes32(1), refundKey: REFUND_KEY, value }
}

describe('a sweep', () => {
  const sweep = (list: readonly Deposit[], feeRate = 1_000n) => planSweep(params, vault, list, 160, feeRate)

  test('takes deposits in their order, and pays for itself', () => {
    const planned = sweep([deposit(120, 30_000n), deposit(110)]) as VaultPlan
    const { inputs, outputs, fee } = planned
    expect(inputs.map(({ value }) => value)).toEqual([10_000_000n, 20_000n, 30_000n])
    expect(inputs[1]?.by).toEqual(depositOutput(params, bytes32(1), REFUND_KEY).sweep)
    expect(outputs).toEqual([{ script: vaultScript(params), value: 10_050_000n - fee }])
    expect(feeOf(planned)).toBe(fee)
    expect(fee).toBe(BigInt(plannedVbytes(params, inputs, outputs)))
  })

  test('not before they are k deep, nor in the last m blocks before the refund', () => {
    const ages = [0, 1, 2, 58, 59, 60, 80, 81]
    expect(ages.filter((age) => maySweep(params, deposit(160 - age), 160))).toEqual([2, 58, 59])
    expect(sweep([deposit(159), deposit(101), deposit(100)])?.inputs.length).toBe(2)
    expect(sweep([deposit(159)])).toBeUndefined()
    expect(sweep([])).toBeUndefined()
  })

  test('no more than a hundred at once, the oldest first', () => {
    const many = Array.from({ length: 57 }, (_, at) => [deposit(102 + at), deposit(102 + at)]).flat()
    expect(sweep(many)?.inputs.length).toBe(101)
  })

  test('not where it would cost more than their fees', () => {
    expect(sweep([deposit(120)], 1_700n)?.fee).toBe(475n)
    expect(sweep([deposit(120)], 2_000n)).toBeUndefined()
    expect(sweep([deposit(120), deposit(120)], 2_000n)).toBeDefined()
    expect(planSweep(params, { ...vault, closedAt: 1 }, [deposit(120)], 160, 1n)).toBeUndefined()
  })
})
