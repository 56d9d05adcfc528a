import { describe, expect, test } from 'vitest'
import type { Deposit } from '../src/deposit.ts'
import { batchLimits, findDue } from '../src/duty.ts'
import { L1Facts } from '../src/facts.ts'
import type { L1Transaction } from '../src/l1.ts'
import { GENESIS_TOTALS } from '../src/totals.ts'
import {
  challengeTransaction,
  changeOutput,
  coin,
  depositOutputOf,
  depositTag,
  depositTransaction,
  linkOutput,
  REFUND_KEY,
  spend,
  transaction,
  vaultOutput,
} from './bitcoin.ts'
import { factsOfBlock, sweptAt } from './facts.ts'
import { type Rollup, startedRollup } from './rollup.ts'
import { bytes32, params, quickKey } from './world.ts'

const START = GENESIS_TOTALS.depositCursor
const key = quickKey(7)
const tag = depositTag(key)
const own = (value: bigint) => depositOutputOf(key, value)
const refundOf = ({ txid }: L1Transaction, vout = 0) => transaction([spend({ txid, vout })], [changeOutput()])

function unspent(rollup: Rollup): string[] {
  return rollup.facts
    .unspentDeposits()
    .map(({ position: { height, tx, index }, value }) => `${height}/${tx}/${index}: ${value}`)
}

function swept(rollup: Rollup): string[] {
  return rollup.facts
    .allSweptAfter(START)
    .map(({ position: { height, tx, index }, deposit }) => `${height}/${tx}/${index}: ${deposit.value}`)
}

describe('what is a deposit', () => {
  test('each output to the tag’s script, at its own place', () => {
    const rollup = startedRollup()
    rollup.mine(depositTransaction(key, 5_000n), transaction([coin()], [own(1_000n), changeOutput(), tag, own(2_000n)]))
    expect(unspent(rollup)).toEqual(['103/1/0: 5000', '103/2/0: 1000', '103/2/3: 2000'])
    expect(rollup.facts.unspentDeposits()[0]).toMatchObject({ key, refundKey: REFUND_KEY })
  })

  test('not below the minimum, nor to another script, nor to another’s', () => {
    const rollup = startedRollup()
    const others = [changeOutput(), linkOutput(), vaultOutput(5_000n), depositOutputOf(quickKey(8), 5_000n)]
    rollup.mine(transaction([coin()], [own(999n), ...others, tag]))
    expect(unspent(rollup)).toEqual([])
  })

  test('not without a tag, nor with two, nor with one of another kind', () => {
    const rollup = startedRollup()
    const challenge = challengeTransaction(bytes32(1), 'data').outputs
    for (const beside of [[], [tag, tag], [tag, ...challenge], challenge]) {
      rollup.mine(transaction([coin()], [own(5_000n), ...beside]))
    }
    expect(unspent(rollup)).toEqual([])
  })

  test('a payload of somebody else’s does not disturb', () => {
    const rollup = startedRollup()
    const foreign = { value: 0n, script: Uint8Array.of(0x6a, 4, 1, 2, 3, 4) }
    rollup.mine(transaction([coin()], [foreign, own(5_000n), tag, foreign]))
    expect(unspent(rollup)).toEqual(['103/1/1: 5000'])
  })

  test('not in a transaction that spends the anchor link, but in one behind it', () => {
    const rollup = startedRollup()
    const { outpoint } = rollup.chain.link
    const beside = transaction([spend(outpoint)], [tag, linkOutput(), own(5_000n)])
    rollup.mine(beside, depositTransaction(key, 6_000n))
    expect(rollup.chain.mode).toBe('closed')
    expect(unspent(rollup)).toEqual(['103/2/0: 6000'])
  })

  test('a coinbase may hold one', () => {
    const rollup = startedRollup()
    const { court, chain } = rollup.derivation
    const block = rollup.bitcoin.mine()
    const coinbase = transaction(block.transactions[0]?.inputs ?? [], [own(5_000n), tag])
    const events = rollup.derivation.follow({ ...block, transactions: [coinbase] })
    expect([events, chain.height, court.params.scanHeight]).toEqual([[], 102, 101])
    expect(unspent(rollup)).toEqual(['103/0/0: 5000'])
  })
})

describe('what becomes of it', () => {
  test('swept by a spend of the vault’s head, at the place of the input', () => {
    const rollup = startedRollup()
    const [one, two] = [depositTransaction(key, 1_000n, 2_000n), depositTransaction(key, 3_000n)]
    rollup.mine(one, two)
    rollup.mine(changing(), rollup.sweep(two, one))
    expect(swept(rollup)).toEqual(['104/2/1: 3000', '104/2/2: 1000', '104/2/3: 2000'])
    expect(unspent(rollup)).toEqual([])
  })

  test('swept in its own block', () => {
    const rollup = startedRollup()
    rollup.mine(...rollup.swept(depositTransaction(key, 1_000n)))
    expect([swept(rollup), unspent(rollup)]).toEqual([['103/2/1: 1000'], []])
  })

  test('taken back, or spent beside the vault: it never falls due', () => {
    const rollup = startedRollup()
    const [one, two] = [depositTransaction(key, 1_000n), depositTransaction(key, 2_000n)]
    rollup.mine(one, two)
    const theft = transaction([spend({ txid: two.txid, vout: 0 })], [vaultOutput(2_000n)])
    rollup.mine(refundOf(one), theft)
    expect([swept(rollup), unspent(rollup)]).toEqual([[], []])
  })

  test('spent together with the head where the vault ends: neither', () => {
    const rollup = startedRollup()
    const one = depositTransaction(key, 1_000n)
    rollup.mine(one)
    rollup.mine(transaction([spend(params.vault), spend({ txid: one.txid, vout: 0 })], [changeOutput()]))
    expect(rollup.chain.vault).toMatchObject({ closedAt: 104, value: 0n, number: 1 })
    expect([swept(rollup), unspent(rollup)]).toEqual([[], []])
  })
})

/** Some transaction of no meaning. */
const changing = () => transaction([coin()], [changeOutput()])

describe('which is due', () => {
  const rollup = startedRollup()
  rollup.mine(...rollup.swept(depositTransaction(key, 1_000n, 2_000n)))
  rollup.mine()
  rollup.mine(...rollup.swept(depositTransaction(key, 3_000n)))
  rollup.mine(depositTransaction(key, 4_000n))
  const due = (originHeight: number, cursor = START, index = 0) => {
    const totals = { ...GENESIS_TOTALS, depositCursor: cursor }
    const found = findDue(batchLimits(params), rollup.facts, originHeight, totals, index)
    return found?.kind === 'deposit' ? found.swept.deposit.value : undefined
  }

  test('the first swept behind the cursor, up to the origin', () => {
    expect(due(102)).toBeUndefined()
    expect(due(103)).toBe(1_000n)
    expect(due(103, { height: 103, tx: 2, index: 1 })).toBe(2_000n)
    expect(due(104, { height: 103, tx: 2, index: 2 })).toBeUndefined()
    expect(due(105, { height: 103, tx: 2, index: 2 })).toBe(3_000n)
    expect(due(200, { height: 105, tx: 2, index: 1 })).toBeUndefined()
    expect(due(200, { height: 0xffffffff, tx: 0, index: 0 })).toBeUndefined()
  })

  test('none from the cap on', () => {
    expect(due(105, START, params.caps.deposits - 1)).toBe(1_000n)
    expect(due(105, START, params.caps.deposits)).toBeUndefined()
    expect(due(105, START, 0xffffffff)).toBeUndefined()
  })
})

describe('facts', () => {
  const at = (height: number) => sweptAt({ height, tx: 0, index: 0 }, key, BigInt(height))
  const made = (height: number, index: number): Deposit => ({
    ...at(height).deposit,
    position: { height, tx: 1, index },
  })

  test('know block hashes between the scan height and the tip', () => {
    const facts = new L1Facts(101)
    expect(facts.tip).toBe(100)
    for (const height of [101, 102, 103]) facts.append(height, bytes32(height), factsOfBlock({ swept: [at(height)] }))
    expect([99, 100, 101, 103, 104].map((height) => facts.blockHash(height)?.[0])).toEqual([
      undefined,
      undefined,
      101,
      103,
      undefined,
    ])
    expect(() => facts.append(105, bytes32(1), factsOfBlock())).toThrow('block 105 does not follow 103')
  })

  test('forget what a reorg drops, and no more', () => {
    const facts = new L1Facts(101)
    const blocks = [101, 102, 103].map((height) => factsOfBlock({ swept: [at(height), at(height)] }))
    for (const [index, block] of blocks.entries()) facts.append(101 + index, bytes32(index), block)
    facts.truncate(102)
    expect([facts.tip, facts.allSweptAfter(START).length]).toEqual([102, 4])
    facts.truncate(200)
    expect(facts.tip).toBe(102)
    facts.truncate(50)
    expect([facts.tip, facts.allSweptAfter(START).length, facts.blockHash(101)]).toEqual([100, 0, undefined])
    facts.append(101, bytes32(9), factsOfBlock())
    expect(facts.blockHash(101)).toEqual(bytes32(9))
  })

  test('a deposit whose spend a reorg drops is there again; one that was made on the branch is not', () => {
    const facts = new L1Facts(101)
    const [one, two, three] = [made(101, 0), made(101, 1), made(102, 0)]
    facts.append(101, bytes32(1), factsOfBlock({ deposits: [one, two] }))
    const sweep = { position: { height: 102, tx: 1, index: 1 }, deposit: one }
    facts.append(102, bytes32(2), factsOfBlock({ deposits: [three], swept: [sweep], refunded: [two] }))
    expect(facts.unspentDeposits()).toEqual([three])
    facts.truncate(101)
    expect(facts.unspentDeposits()).toEqual([one, two])
    expect(facts.depositAt({ txid: two.txid, vout: 1 })).toBe(two)
    facts.truncate(100)
    expect(facts.unspentDeposits()).toEqual([])
  })
})
