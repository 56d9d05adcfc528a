import { type L1Output, pieceOutput, splitPieces, tapLeafHash } from '@kedge/core'
import { Transaction } from 'bitcoinjs-lib'
import fc from 'fast-check'
import * as ecc from 'tiny-secp256k1'
import { describe, expect, test } from 'vitest'
import { readTransaction } from '../src/block.ts'
import type { Coin } from '../src/coins.ts'
import { coinKey } from '../src/keys.ts'
import { buildPayment } from '../src/payment.ts'
import { buildCommit, buildReveal, MAX_PUBLICATION } from '../src/publish.ts'
import { type Funding, InsufficientFundsError, MAX_VSIZE } from '../src/transaction.ts'
import { PARAMS, secretOf } from './network.ts'

const KEY = coinKey(secretOf(5))
const TO = coinKey(secretOf(6)).script

const coin = (value: bigint, seed = 1): Coin => ({
  outpoint: { txid: new Uint8Array(32).fill(seed), vout: seed },
  value,
  height: 1,
  coinbase: false,
})
const funding = (feeRate: number, ...values: bigint[]): Funding => ({
  key: KEY,
  coins: values.map((value, at) => coin(value, at + 1)),
  feeRate,
})
const pay = (value: bigint): L1Output[] => [{ script: TO, value }]
const outputsOf = (raw: Uint8Array): bigint[] => readTransaction(raw).outputs.map(({ value }) => value)

describe('fee and change', () => {
  test('the fee is the rate times the size, and the rest is change', () => {
    const amounts = fc.record({
      value: fc.bigInt(330n, 200_000n),
      rate: fc.double({ min: 0.1, max: 300, noNaN: true }),
      count: fc.integer({ min: 1, max: 12 }),
    })
    fc.assert(
      fc.property(amounts, ({ value, rate, count }) => {
        const built = buildPayment(pay(value), funding(rate, ...Array<bigint>(count).fill(1_000_000n)))
        const parsed = Transaction.fromBuffer(built.raw)
        expect(built.vsize).toBe(parsed.virtualSize())
        expect(built.fee).toBe(BigInt(Math.ceil(built.vsize * rate)))
        const [paid, change] = outputsOf(built.raw)
        expect(paid).toBe(value)
        expect(value + (change ?? 0n) + built.fee).toBe(BigInt(parsed.ins.length) * 1_000_000n)
      }),
      { numRuns: 40 },
    )
  })

  test('coins are taken in their order, as few as will do', () => {
    const built = buildPayment(pay(9_000n), funding(1, 5_000n, 4_500n, 90_000n))
    const inputs = readTransaction(built.raw).inputs.map(({ previous }) => previous.vout)
    expect(inputs).toEqual([1, 2])
    expect(outputsOf(built.raw)).toEqual([9_000n])
  })

  test('change of 330 sat is paid back, of 329 it goes to the miner', () => {
    const exact = buildPayment(pay(10_000n), funding(1, 1_000_000n))
    const needed = 10_000n + exact.fee
    expect(outputsOf(buildPayment(pay(10_000n), funding(1, needed + 330n)).raw)).toEqual([10_000n, 330n])
    const without = buildPayment(pay(10_000n), funding(1, needed + 329n))
    expect(outputsOf(without.raw)).toEqual([10_000n])
    expect(without.fee).toBe(exact.fee + 329n)
  })

  test('a coin that costs more than it holds is left alone', () => {
    const built = buildPayment(pay(10_000n), funding(10, 575n, 20_000n))
    expect(readTransaction(built.raw).inputs.length).toBe(1)
    expect(() => buildPayment(pay(10_000n), funding(10, ...Array<bigint>(100).fill(575n)))).toThrow(
      InsufficientFundsError,
    )
  })

  test('one satoshi short is short', () => {
    const { fee } = buildPayment(pay(10_000n), funding(1, 10_400n))
    expect(fee).toBe(400n)
    const least = 10_000n + 111n
    expect(buildPayment(pay(10_000n), funding(1, least)).fee).toBe(111n)
    expect(() => buildPayment(pay(10_000n), funding(1, least - 1n))).toThrow(InsufficientFundsError)
    expect(() => buildPayment(pay(10_000n), funding(1))).toThrow(/0 sat do not pay 10000 sat/)
  })

  test('a transaction too large to relay is never made', () => {
    const many = Array<L1Output>(2_200).fill({ script: TO, value: 330n })
    expect(() => buildPayment(many, funding(1, 100_000_000n))).toThrow(/94\d\d\d vB/)
  })
})

describe('signatures', () => {
  test('sign every input, the same each time', () => {
    const built = buildPayment(pay(9_000n), funding(1, 5_000n, 4_500n))
    expect(buildPayment(pay(9_000n), funding(1, 5_000n, 4_500n))).toEqual(built)
    const parsed = Transaction.fromBuffer(built.raw)
    parsed.ins.forEach(({ witness, sequence }, at) => {
      const hash = parsed.hashForWitnessV1(at, [KEY.script, KEY.script], [5_000n, 4_500n], Transaction.SIGHASH_DEFAULT)
      expect(ecc.verifySchnorr(hash, KEY.script.slice(2), witness[0] ?? new Uint8Array(64))).toBe(true)
      expect(sequence).toBe(0xfffffffd)
    })
  })

  test("of a reveal are the publisher's, over the leaf", () => {
    const bytes = new Uint8Array(2_000).fill(8)
    const publication = { params: PARAMS, payload: new Uint8Array(37), bytes }
    const commit = buildCommit(publication, 5, funding(1, 1_000_000n))
    const reveal = Transaction.fromBuffer(buildReveal(publication, commit.raw, funding(2)).raw)
    const outputs = readTransaction(commit.raw).outputs.slice(0, 2)
    const inputs = splitPieces(bytes).map((pieces) => pieceOutput(KEY.publicKey, pieces))
    inputs.forEach(({ leaf }, at) => {
      const [scripts, values] = [outputs.map(({ script }) => script), outputs.map(({ value }) => value)]
      const hash = reveal.hashForWitnessV1(at, scripts, values, Transaction.SIGHASH_DEFAULT, tapLeafHash(leaf))
      expect(ecc.verifySchnorr(hash, KEY.publicKey, reveal.ins[at]?.witness.at(-3) ?? new Uint8Array(64))).toBe(true)
    })
  })
})

describe('publishing', () => {
  const publicationOf = (size: number) => ({
    params: PARAMS,
    payload: new Uint8Array(80),
    bytes: new Uint8Array(size).fill(1),
  })

  test('the commit sets aside what the reveal costs at the reserved rate', () => {
    const publication = publicationOf(5_000)
    const commit = buildCommit(publication, 20, funding(1, 10_000_000n))
    const reveal = buildReveal(publication, commit.raw, funding(20))
    expect(readTransaction(reveal.raw).inputs.length).toBe(5)
    expect(() => buildReveal(publication, commit.raw, funding(21))).toThrow(InsufficientFundsError)
    const raised = buildReveal(publication, commit.raw, funding(21, 50_000n))
    expect(readTransaction(raised.raw).inputs.length).toBe(6)
  })

  test('the largest publication fits, with both transactions below 100,000 vB', () => {
    const publication = publicationOf(MAX_PUBLICATION)
    const commit = buildCommit(publication, 1, funding(1, 10_000_000n))
    const reveal = buildReveal(publication, commit.raw, funding(1))
    expect(reveal.vsize).toBeLessThanOrEqual(MAX_VSIZE)
    expect(reveal.vsize + commit.vsize).toBeLessThanOrEqual(100_000)
  })

  test.each([0, MAX_PUBLICATION + 1])('%i bytes are refused', (size) => {
    expect(() => buildCommit(publicationOf(size), 1, funding(1, 10_000_000n))).toThrow(RangeError)
  })
})
