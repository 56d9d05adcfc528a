import { anchorScript, dataCarrier, type Params, takeoverLeaf } from '@kedge/core'
import { Transaction } from 'bitcoinjs-lib'
import { describe, expect, test } from 'vitest'
import { buildAnchor } from '../src/anchor.ts'
import { readTransaction } from '../src/block.ts'
import { coinKey } from '../src/keys.ts'
import type { BuiltLink, LinkPlan } from '../src/link.ts'
import { buildTakeover } from '../src/takeover.ts'
import { InsufficientFundsError } from '../src/transaction.ts'
import { ANCHOR_SECRET, PARAMS, secretOf, WATCHERS } from './network.ts'

const KEY = coinKey(secretOf(5))
const PAYLOAD = new Uint8Array(73).fill(0x4b)
const LINK = { txid: new Uint8Array(32).fill(7), vout: 1 }
const COIN = { outpoint: { txid: new Uint8Array(32).fill(8), vout: 0 }, value: 1_000_000n, height: 1, coinbase: false }

function planOf(value: bigint, feeRate: number, coins = [COIN], params: Params = PARAMS): LinkPlan {
  const budget = { floor: 1_000n, refill: 20_000n }
  return { params, link: { outpoint: LINK, value }, payload: PAYLOAD, budget, funding: { key: KEY, coins, feeRate } }
}

const anchor = (plan: LinkPlan): BuiltLink => buildAnchor(plan, ANCHOR_SECRET)

/** What spec §6 asks of a link. */
function expectLink(built: BuiltLink): void {
  const { txid, inputs, outputs } = readTransaction(built.raw)
  expect(inputs[0]?.previous).toEqual(LINK)
  expect(dataCarrier(outputs[0]?.script ?? new Uint8Array(0))).toEqual(PAYLOAD)
  expect(outputs[1]).toEqual({ script: anchorScript(PARAMS), value: built.next.value })
  expect(built.next.outpoint).toEqual({ txid, vout: 1 })
}

describe('an anchor', () => {
  test('pays from the link while that keeps the floor', () => {
    const built = anchor(planOf(1_000n + 195n * 3n, 3, []))
    expectLink(built)
    expect(built).toMatchObject({ vsize: 195, fee: 585n, next: { value: 1_000n } })
  })

  test('below the floor it is filled up from coins, and gives change', () => {
    const built = anchor(planOf(1_000n + 195n * 3n - 1n, 3))
    expectLink(built)
    expect(built.next.value).toBe(20_000n)
    const { inputs, outputs } = readTransaction(built.raw)
    expect(inputs.map(({ previous }) => previous)).toEqual([LINK, COIN.outpoint])
    expect(outputs[2]?.value).toBe(1_584n + COIN.value - 20_000n - built.fee)
  })

  test('a link above the refill keeps what it has when it has to be helped', () => {
    const built = anchor(planOf(30_000n, 200))
    expectLink(built)
    expect(built.next.value).toBe(30_000n)
  })

  test('without coins to help it, it is not made', () => {
    expect(() => anchor(planOf(1_500n, 3, []))).toThrow(InsufficientFundsError)
  })

  test('at a higher rate it spends the same link, and pays more', () => {
    const [low, high] = [anchor(planOf(50_000n, 1)), anchor(planOf(50_000n, 2))]
    expectLink(high)
    expect(high.fee).toBe(2n * low.fee)
    expect(high.next.value).toBe(low.next.value - low.fee)
  })
})

describe('a takeover', () => {
  test('waits as long as the leaf says, and shows it', () => {
    const built = buildTakeover(planOf(50_000n, 1), WATCHERS)
    expectLink(built)
    // Version 2 makes the sequence a relative lock.
    const { version, ins } = Transaction.fromBuffer(built.raw)
    expect([version, ins[0]?.sequence]).toEqual([2, 40])
    const { witness = [] } = readTransaction(built.raw).inputs[0] ?? {}
    expect(witness[3]).toEqual(takeoverLeaf(PARAMS))
  })

  test("has exactly the threshold's signatures, last key first", () => {
    const lengths = (secrets: Uint8Array[]): number[] => {
      const { witness = [] } = readTransaction(buildTakeover(planOf(50_000n, 1), secrets).raw).inputs[0] ?? {}
      return witness.slice(0, 3).map(({ length }) => length)
    }
    const [a, b, c] = WATCHERS as [Uint8Array, Uint8Array, Uint8Array]
    expect(lengths([a, b, c])).toEqual([0, 64, 64])
    expect(lengths([c, a])).toEqual([64, 0, 64])
    expect(lengths([b, c])).toEqual([64, 64, 0])
  })

  test('needs the threshold, and counts no stranger and no watcher twice', () => {
    const [a] = WATCHERS as [Uint8Array]
    for (const secrets of [[], [a], [a, a], [a, secretOf(99)]]) {
      expect(() => buildTakeover(planOf(50_000n, 1), secrets)).toThrow(RangeError)
    }
  })
})
