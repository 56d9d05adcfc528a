import { describe, expect, test } from 'vitest'
import type { L1Transaction } from '../../src/l1.ts'
import { maySweep } from '../../src/payout.ts'
import { changeOutput, depositTransaction, spend, transaction } from '../bitcoin.ts'
import { fundedRollup, pay, withdraw } from '../economy.ts'
import { Mempool } from '../mempool.ts'
import { findCell, type Rollup } from '../rollup.ts'
import { say } from '../trace.ts'
import { nextPayout, nextSweep } from '../watchers.ts'
import { params, payoutScript, quickKey } from '../world.ts'

const { originDepth: k, refund: R, margin: m } = params.windows

function expectSolvent({ balance }: Rollup): void {
  expect(balance.assets).toBeGreaterThanOrEqual(balance.liabilities)
}

/** How often the chain's blocks pay to a script. */
function timesPaid(rollup: Rollup, script: Uint8Array): number {
  const outputs = rollup.bitcoin.blocks.flatMap(({ transactions }) => transactions.flatMap((one) => one.outputs))
  return outputs.filter((output) => output.script.toString() === script.toString()).length
}

/** Three withdrawals of cells 0, 1 and 2, each to a script of its own; payable from the tip on. */
function owing(): { rollup: Rollup; mempool: Mempool } {
  const { rollup } = fundedRollup()
  const mempool = new Mempool(rollup.bitcoin)
  rollup.post(rollup.build(...[0, 1, 2].map((cell) => withdraw(cell, 0, { script: payoutScript(100 + cell) }))))
  rollup.mineUpTo(rollup.bitcoin.height + params.windows.dispute + k)
  return { rollup, mempool }
}

const must = (made: L1Transaction | undefined): L1Transaction => {
  if (made === undefined) throw new Error('watchers have nothing to sign')
  return made
}

describe('a payout that a reorg drops', () => {
  const paidTimes = (rollup: Rollup) => [0, 1, 2].map((cell) => timesPaid(rollup, payoutScript(100 + cell)))

  test('and that is built anew at a higher fee: whichever is mined, the other can’t be', () => {
    for (const order of [0, 1]) {
      const { rollup, mempool } = owing()
      const fork = rollup.bitcoin.height
      const first = must(nextPayout(rollup))
      expect(rollup.mine(first).map(say)).toEqual(['vault 2: payout, pays 0 1 2'])
      expect(nextPayout(rollup)).toBeUndefined()
      rollup.reorganise(fork)
      const second = must(nextPayout(rollup, 2_000n))
      const sent = order === 0 ? [first, second] : [second, first]
      expect(rollup.mine(...mempool.select(sent)).map(say)).toEqual(['vault 2: payout, pays 0 1 2'])
      expect(rollup.mine(...mempool.select([first, second]))).toEqual([])
      expect(paidTimes(rollup)).toEqual([1, 1, 1])
      expectSolvent(rollup)
    }
  })

  test('with a sweep in between: the old payout is dead, the new one names the same claims from another head', () => {
    const { rollup, mempool } = owing()
    const deposit = depositTransaction(quickKey(7), 30_000n)
    rollup.mine(deposit)
    rollup.mine()
    const fork = rollup.bitcoin.height
    const [sweep, old] = [must(nextSweep(rollup)), must(nextPayout(rollup))]
    rollup.mine(...mempool.select([old, sweep]))
    rollup.reorganise(fork)
    expect(rollup.mine(...mempool.select([sweep, old])).map(say)).toEqual(['vault 2: sweep, 1 swept'])
    const anew = must(nextPayout(rollup))
    expect(rollup.mine(...mempool.select([old, anew])).map(say)).toEqual(['vault 3: payout, pays 0 1 2'])
    expect(rollup.mine(...mempool.select([old]))).toEqual([])
    expect(paidTimes(rollup)).toEqual([1, 1, 1])
    expectSolvent(rollup)
  })

  test('is not mined again with other outputs: a claim that is paid is in no further plan', () => {
    const { rollup } = owing()
    rollup.mine(must(nextPayout(rollup)))
    rollup.post(rollup.build(withdraw(3, 0, { script: payoutScript(103) })))
    rollup.mineUpTo(rollup.bitcoin.height + params.windows.dispute + k)
    expect(rollup.mine(must(nextPayout(rollup))).map(say)).toEqual(['vault 3: payout, pays 3'])
    expect(paidTimes(rollup)).toEqual([1, 1, 1])
  })
})

test('nothing is paid before its batch is final and k blocks have passed, nor for a batch that is void', () => {
  const { rollup } = fundedRollup()
  rollup.post(rollup.build(withdraw(0, 0)))
  const a = rollup.bitcoin.height
  for (let height = a; height < a + params.windows.dispute + k; height++) {
    expect(nextPayout(rollup)).toBeUndefined()
    rollup.mine()
  }
  expect(nextPayout(rollup)).toBeDefined()
  // The origin leaves the chain, and the batch with it.
  rollup.reorganise(a - 2)
  expect(rollup.claims).toEqual([])
  expect(nextPayout(rollup)).toBeUndefined()
})

test('one withdrawal that no payout can bear holds nobody up, and is paid when fees fall', () => {
  const { rollup } = fundedRollup()
  const poor = withdraw(0, 0, { payoutFee: params.fees.payout, script: payoutScript(100) })
  rollup.post(rollup.build(poor, withdraw(1, 0), withdraw(2, 0)))
  rollup.mineUpTo(rollup.bitcoin.height + params.windows.dispute + k)
  expect(rollup.mine(must(nextPayout(rollup, 2_000n))).map(say)).toEqual(['vault 2: payout, pays 1 2'])
  expect(nextPayout(rollup, 2_000n)).toBeUndefined()
  expect(rollup.mine(must(nextPayout(rollup, 300n))).map(say)).toEqual(['vault 3: payout, pays 0'])
  expectSolvent(rollup)
})

describe('deposit, spend inside, take back outside', () => {
  const key = quickKey(7)
  const refundOf = (deposit: L1Transaction) => transaction([spend({ txid: deposit.txid, vout: 0 })], [changeOutput()])

  /** A deposit that was swept at the last age at which watchers sign that, credited, and spent inside. */
  function spentInside() {
    const { rollup } = fundedRollup()
    const mempool = new Mempool(rollup.bitcoin)
    const deposit = depositTransaction(key, 50_000n)
    rollup.mine(deposit)
    const made = rollup.bitcoin.height
    rollup.post(rollup.build())
    rollup.mineUpTo(made + R - m - 25)
    rollup.post(rollup.build())
    rollup.mineUpTo(made + R - m - 1)
    const sweep = must(nextSweep(rollup))
    rollup.mine(sweep)
    rollup.post(rollup.build())
    const cell = findCell(rollup.ledger, key) as number
    rollup.post(rollup.build(pay(7, 0, 0, { from: cell, amount: 40_000_000n })))
    return { rollup, mempool, deposit, sweep, made, swept: made + R - m }
  }

  test('nobody signs a sweep in the last m blocks', () => {
    const { rollup } = fundedRollup()
    const deposit = depositTransaction(key, 50_000n)
    rollup.mine(deposit)
    const made = rollup.facts.unspentDeposits()[0]
    if (made === undefined) throw new Error('there is no deposit')
    const { height } = made.position
    expect([R - m, R - m + 1, R - 1, R, R + 1].map((age) => maySweep(params, made, height + age))).toEqual([
      true,
      false,
      false,
      false,
      false,
    ])
  })

  test.each([-1, 0, 1])('the sweep stays: a refund at R %i can’t be mined', (late) => {
    const { rollup, mempool, deposit, made } = spentInside()
    while (rollup.bitcoin.height < made + R + late - 1) {
      rollup.mine(...(rollup.bitcoin.height % 10 === 0 ? [rollup.anchor(rollup.build())] : []))
      expectSolvent(rollup)
    }
    expect(mempool.select([refundOf(deposit)])).toEqual([])
    expectSolvent(rollup)
  })

  test.each([-1, 0, 1])('the sweep is reorged out and a refund mined at R %i: the credit is gone with it', (late) => {
    const { rollup, mempool, deposit, sweep, made, swept } = spentInside()
    rollup.reorganise(swept - 1)
    // Before R only the sweep can be mined; from R on whoever is first.
    while (rollup.bitcoin.height < made + R + late - 1)
      rollup.mine(
        ...(rollup.bitcoin.height % 10 === 0 && rollup.chain.mode === 'active' ? [rollup.anchor(rollup.build())] : []),
      )
    const race = late < 0 ? [sweep] : [refundOf(deposit), sweep]
    rollup.mine(...mempool.select(race))
    expectSolvent(rollup)
    rollup.mine()
    if (rollup.chain.mode !== 'active') rollup.mine(rollup.resume())
    rollup.post(rollup.build())
    const cell = findCell(rollup.ledger, key)
    expect(cell !== undefined).toBe(late < 0)
    expect(rollup.facts.unspentDeposits()).toEqual([])
    expectSolvent(rollup)
  })
})
