import { describe, expect, test } from 'vitest'
import type { Deposit } from '../src/deposit.ts'
import { depositDue } from '../src/duty.ts'
import { L1Facts } from '../src/facts.ts'
import { GENESIS_TOTALS } from '../src/totals.ts'
import {
  challengeTransaction,
  changeOutput,
  coin,
  depositTransaction,
  linkOutput,
  spend,
  tagOutput,
  transaction,
  vaultOutput,
} from './bitcoin.ts'
import { type Rollup, startedRollup } from './rollup.ts'
import { bytes32, params, quickKey } from './world.ts'

const START = GENESIS_TOTALS.depositCursor
const key = quickKey(7)
const tag = tagOutput({ kind: 'deposit', key, refundKey: bytes32(0xfd) })

function received(rollup: Rollup): string[] {
  return rollup.facts
    .depositsAfter(START)
    .map(({ position: { height, tx, vout }, value }) => `${height}/${tx}/${vout}: ${value}`)
}

describe('what is a deposit', () => {
  test('each output to the vault beside one tag, at its own place', () => {
    const rollup = startedRollup()
    const outputs = [vaultOutput(1_000n), changeOutput(), tag, vaultOutput(2_000n)]
    rollup.mine(depositTransaction(key, 5_000n), transaction([coin()], outputs))
    expect(received(rollup)).toEqual(['103/1/0: 5000', '103/2/0: 1000', '103/2/3: 2000'])
    expect(rollup.facts.depositsAfter(START)[0]).toMatchObject({ key, refundKey: bytes32(0xfd) })
  })

  test('not below the minimum, nor to another script', () => {
    const rollup = startedRollup()
    rollup.mine(transaction([coin()], [vaultOutput(999n), changeOutput(), linkOutput(), tag]))
    expect(received(rollup)).toEqual([])
  })

  test('not without a tag, nor with two, nor with one of another kind', () => {
    const rollup = startedRollup()
    const challenge = challengeTransaction(bytes32(1), 'data').outputs
    for (const beside of [[], [tag, tag], [tag, ...challenge], challenge]) {
      rollup.mine(transaction([coin()], [vaultOutput(5_000n), ...beside]))
    }
    expect(received(rollup)).toEqual([])
  })

  test('a payload of somebody else’s does not disturb', () => {
    const rollup = startedRollup()
    const foreign = { value: 0n, script: Uint8Array.of(0x6a, 4, 1, 2, 3, 4) }
    rollup.mine(transaction([coin()], [foreign, vaultOutput(5_000n), tag, foreign]))
    expect(received(rollup)).toEqual(['103/1/1: 5000'])
  })

  test('not in a transaction that spends the anchor link, but in one behind it', () => {
    const rollup = startedRollup()
    const { outpoint } = rollup.chain.link
    const beside = transaction([spend(outpoint)], [tag, linkOutput(), vaultOutput(5_000n)])
    rollup.mine(beside, depositTransaction(key, 6_000n))
    expect(rollup.chain.mode).toBe('closed')
    expect(received(rollup)).toEqual(['103/2/0: 6000'])
  })

  test('a coinbase may hold one', () => {
    const rollup = startedRollup()
    const { court, chain } = rollup.derivation
    const block = rollup.bitcoin.mine()
    const coinbase = transaction(block.transactions[0]?.inputs ?? [], [vaultOutput(5_000n), tag])
    const events = rollup.derivation.follow({ ...block, transactions: [coinbase] })
    expect([events, chain.height, court.params.scanHeight]).toEqual([[], 102, 101])
    expect(received(rollup)).toEqual(['103/0/0: 5000'])
  })
})

describe('which is due', () => {
  const rollup = startedRollup()
  rollup.mine(depositTransaction(key, 1_000n, 2_000n))
  rollup.mine()
  rollup.mine(depositTransaction(key, 3_000n))
  const due = (originHeight: number, cursor = START, index = 0) =>
    depositDue(params, rollup.facts, originHeight, { ...GENESIS_TOTALS, depositCursor: cursor }, index)?.value

  test('the first behind the cursor, up to the origin', () => {
    expect(due(102)).toBeUndefined()
    expect(due(103)).toBe(1_000n)
    expect(due(103, { height: 103, tx: 1, vout: 0 })).toBe(2_000n)
    expect(due(104, { height: 103, tx: 1, vout: 1 })).toBeUndefined()
    expect(due(105, { height: 103, tx: 1, vout: 1 })).toBe(3_000n)
    expect(due(200, { height: 105, tx: 1, vout: 0 })).toBeUndefined()
    expect(due(200, { height: 0xffffffff, tx: 0, vout: 0 })).toBeUndefined()
  })

  test('none from the cap on', () => {
    expect(due(105, START, params.caps.deposits - 1)).toBe(1_000n)
    expect(due(105, START, params.caps.deposits)).toBeUndefined()
    expect(due(105, START, 0xffffffff)).toBeUndefined()
  })
})

describe('facts', () => {
  const at = (height: number): Deposit => ({
    position: { height, tx: 0, vout: 0 },
    txid: bytes32(height),
    key,
    refundKey: key,
    value: BigInt(height),
  })

  test('know block hashes between the scan height and the tip', () => {
    const facts = new L1Facts(101)
    expect(facts.tip).toBe(100)
    for (const height of [101, 102, 103]) facts.append(height, bytes32(height), [at(height)])
    expect([99, 100, 101, 103, 104].map((height) => facts.blockHash(height)?.[0])).toEqual([
      undefined,
      undefined,
      101,
      103,
      undefined,
    ])
    expect(() => facts.append(105, bytes32(1), [])).toThrow('block 105 does not follow 103')
  })

  test('forget what a reorg drops, and no more', () => {
    const facts = new L1Facts(101)
    for (const height of [101, 102, 103]) facts.append(height, bytes32(height), [at(height), at(height)])
    facts.truncate(102)
    expect([facts.tip, facts.depositsAfter(START).length]).toEqual([102, 4])
    facts.truncate(200)
    expect(facts.tip).toBe(102)
    facts.truncate(50)
    expect([facts.tip, facts.depositsAfter(START).length, facts.blockHash(101)]).toEqual([100, 0, undefined])
    facts.append(101, bytes32(9), [])
    expect(facts.blockHash(101)).toEqual(bytes32(9))
  })
})
