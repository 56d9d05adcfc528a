import { describe, expect, test } from 'vitest'
import { aliveSince } from '../src/chain.ts'
import { isExit } from '../src/exit.ts'
import { planPayout } from '../src/payout.ts'
import { challengeTransaction, depositTransaction, forcedTransaction, spend, transaction } from './bitcoin.ts'
import { fundedRollup, pay, payNew, withdraw } from './economy.ts'
import { findCell, ledgerBytes, type Rollup, startedRollup } from './rollup.ts'
import { say } from './trace.ts'
import { params, quickKey } from './world.ts'

const E = params.windows.exit

function says(rollup: Rollup, height: number): string[] {
  const said: string[] = []
  while (rollup.bitcoin.height < height)
    said.push(...rollup.mine().map((event) => `${rollup.chain.height} ${say(event)}`))
  return said
}

describe('the clock', () => {
  test('runs from the scan height where nothing ever lived', () => {
    const rollup = startedRollup()
    expect(says(rollup, 101 + E + 5)).toEqual([`${101 + E} expired: nothing lived since 101`, `${101 + E} exit`])
    expect(rollup.mine(rollup.resume())).toEqual([])
    expect(rollup.chain.mode).toBe('closed')
  })

  test('runs from the latest live batch; one in the last block saves the chain', () => {
    const { rollup } = fundedRollup()
    const a = rollup.chain.line.at(-1)?.anchorHeight as number
    rollup.mineUpTo(a + E - 1)
    expect(rollup.mine(rollup.anchor(rollup.build())).map(say)).toEqual(['link 4: batch'])
    expect(aliveSince(rollup.chain)).toBe(a + E)
    expect(says(rollup, a + 2 * E).slice(-2)).toEqual([
      `${a + 2 * E} expired: nothing lived since ${a + E}`,
      `${a + 2 * E} exit`,
    ])
  })

  test('a resume does not set it forward', () => {
    const { rollup } = fundedRollup()
    rollup.mineUpTo(150)
    rollup.mine(rollup.resume())
    expect(aliveSince(rollup.chain)).toBe(rollup.chain.final.anchorHeight)
  })

  /** Anchors a batch that nobody can have; it is void five blocks later. */
  function withhold(rollup: Rollup): void {
    const batch = rollup.build()
    rollup.post(batch)
    rollup.mine(challengeTransaction(batch.hash, 'data'))
    rollup.mineUpTo(rollup.bitcoin.height + 4)
    expect(rollup.mine().map(say)).toContain(`void ${batch.header.number}: unanswered`)
  }

  test('starts anew at the first void behind the last live batch, and at no further one', () => {
    const { rollup } = fundedRollup()
    withhold(rollup)
    const first = rollup.bitcoin.height
    for (let at = 0; at < 4; at++) {
      rollup.mine(rollup.resume())
      withhold(rollup)
      expect(aliveSince(rollup.chain)).toBe(first)
    }
    rollup.mine(rollup.resume())
    rollup.post(rollup.build())
    expect(aliveSince(rollup.chain)).toBe(rollup.bitcoin.height)
    withhold(rollup)
    const behind = rollup.bitcoin.height
    expect(aliveSince(rollup.chain)).toBe(behind)
  })

  test('a void may set it back; the chain then ends at once, not before', () => {
    const { rollup } = fundedRollup()
    withhold(rollup)
    const first = rollup.bitcoin.height
    rollup.mineUpTo(first + E - 6)
    rollup.mine(rollup.resume())
    const batch = rollup.build()
    rollup.post(batch)
    rollup.mine(challengeTransaction(batch.hash, 'data'))
    rollup.mineUpTo(rollup.bitcoin.height + 4)
    expect(rollup.chain.mode).toBe('active')
    expect(rollup.mine().map(say)).toEqual([
      `void ${batch.header.number}: unanswered`,
      `expired: nothing lived since ${first}`,
      'exit',
    ])
    expect(rollup.bitcoin.height).toBe(first + E + 2)
  })

  test('the exit begins when the last batch’s windows are over', () => {
    const { rollup } = fundedRollup()
    rollup.mine(transaction([spend(rollup.chain.link.outpoint)], []))
    expect([rollup.chain.mode, isExit(rollup.chain)]).toEqual(['closed', false])
    expect(says(rollup, 111)).toEqual(['110 final 2', '111 final 3', '111 exit'])
  })
})

/** Five cells with 99,490 sat each; the chain has ended, and is in exit mode at height 111. */
function ended(): Rollup {
  const { rollup } = fundedRollup()
  rollup.mine(transaction([spend(rollup.chain.link.outpoint)], []))
  rollup.mineUpTo(111)
  return rollup
}

describe('in exit mode', () => {
  const balanceOf = (rollup: Rollup, cell: number) => rollup.ledger.tree.account(cell).balance

  test('forced operations apply block by block, at once, and what can’t stand is used up', () => {
    const rollup = ended()
    rollup.mine(forcedTransaction(pay(0, 1, 0)), forcedTransaction(pay(0, 1, 0)), forcedTransaction(payNew(2, 6, 0)))
    expect(balanceOf(rollup, 1)).toBe(99_491_000n)
    expect([0, 2].map((cell) => rollup.ledger.tree.account(cell).nonce)).toEqual([1n, 1n])
    rollup.mine(forcedTransaction(withdraw(0, 1, { amount: 99_000n })))
    expect(rollup.ledger.totals).toMatchObject({ withdrawals: 1, owed: 99_000_000n })
    expect(rollup.claims).toMatchObject([{ claim: { number: 0, amount: 99_000n }, payableAt: 114 }])
  })

  test('without caps', () => {
    const rollup = ended()
    rollup.mine(...Array.from({ length: 20 }, (_, nonce) => forcedTransaction(pay(0, 1, nonce))))
    expect(rollup.ledger.tree.account(0).nonce).toBe(20n)
  })

  test('what was outstanding comes first: deposits, then what was forced', () => {
    const { rollup } = fundedRollup()
    rollup.mine(forcedTransaction(withdraw(0, 0, { amount: 100_000n })))
    rollup.mine(...rollup.swept(depositTransaction(quickKey(0), 5_000n)))
    rollup.mine(transaction([spend(rollup.chain.link.outpoint)], []))
    rollup.mineUpTo(111)
    expect(balanceOf(rollup, 0)).toBe(99_490_000n + 4_500_000n - 100_000_100n)
  })

  test('late deposits are credited, and get out as well', () => {
    const rollup = ended()
    rollup.mine(...rollup.swept(depositTransaction(quickKey(9), 5_000n)))
    const cell = findCell(rollup.ledger, quickKey(9)) as number
    expect(balanceOf(rollup, cell)).toBe(4_490_000n)
    rollup.mine(forcedTransaction({ ...withdraw(9, 0, { from: cell, amount: 4_000n }) }))
    expect(rollup.claims.length).toBe(1)
  })

  test('collected fees go to their owner', () => {
    const rollup = ended()
    const cell = findCell(rollup.ledger, params.keys.fees) as number
    expect([balanceOf(rollup, cell), rollup.ledger.totals.fees]).toEqual([40_000n, 10_000n])
    rollup.mine()
    expect([balanceOf(rollup, cell), rollup.ledger.totals.fees]).toEqual([50_000n, 0n])
  })

  test('everybody is paid, to what no output can hold', () => {
    const rollup = ended()
    const out = [0, 1, 2, 3, 4].map((cell) => withdraw(cell, 0, { amount: balanceOf(rollup, cell) / 1000n - 1n }))
    rollup.mine(...out.map(forcedTransaction))
    rollup.mine()
    const payable = rollup.claims.map(({ claim }) => claim)
    const plan = planPayout(params, rollup.chain.vault, payable, rollup.chain.final.headerHash, 1_000n)
    if (plan === undefined) throw new Error('nothing can be paid')
    const [next, ...others] = plan.outputs
    expect(rollup.mine(rollup.spendVault([], next?.value ?? 0n, ...others)).map(say)).toEqual([
      'vault 2: payout, pays 0 1 2 3 4',
    ])
    const { assets, liabilities } = rollup.balance
    expect(liabilities).toBe(rollup.ledger.totals.supply - rollup.ledger.totals.owed)
    expect(liabilities).toBeLessThan(60_000n)
    expect(assets).toBeGreaterThanOrEqual(liabilities)
  })

  test('a reorg takes the steps back, and other blocks make others', () => {
    const rollup = ended()
    const before = ledgerBytes(rollup.ledger)
    rollup.mine(forcedTransaction(pay(0, 1, 0)))
    rollup.mine(forcedTransaction(pay(0, 1, 1)))
    rollup.reorganise(111)
    expect(ledgerBytes(rollup.ledger)).toEqual(before)
    rollup.mine(forcedTransaction(withdraw(0, 0)))
    expect(rollup.claims.length).toBe(1)
    rollup.reorganise(106)
    expect(rollup.chain.mode).toBe('closed')
    rollup.reorganise(104)
    expect(rollup.chain.mode).toBe('active')
  })
})
