import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { L1Output, L1Transaction } from '../src/l1.ts'
import type { PayoutTag } from '../src/message.ts'
import { genesisVault, isPaid, type PaidClaims, paidBetween, paidEnd, spendVault, unpaidBelow } from '../src/vault.ts'
import {
  changeOutput,
  coin,
  depositTransaction,
  linkOutput,
  linkTransaction,
  spend,
  tagOutput,
  transaction,
  vaultOutput,
} from './bitcoin.ts'
import { type Rollup, startedRollup } from './rollup.ts'
import { say } from './trace.ts'
import { bytes32, params } from './world.ts'

/** Names the last final header, where that is genesis. */
const tagFor = (...claims: number[]) => tagOutput({ kind: 'payout', headerHash: bytes32(0), claims })
const paid = (value = 1_000n): L1Output => ({ value, script: changeOutput().script })
const headOf = (rollup: Rollup) => spend(rollup.chain.vault.head)

/** A rollup, and what is said of a block with this spend of its vault's head. */
function after(make: (rollup: Rollup) => L1Transaction): { rollup: Rollup; said: string[] } {
  const rollup = startedRollup()
  return { said: rollup.mine(make(rollup)).map(say), rollup }
}

describe('a spend of the head', () => {
  test('goes on from vout 0, where that is the vault’s', () => {
    const { rollup, said } = after(() => transaction([coin(), spend(params.vault)], [vaultOutput(7_000n), paid()]))
    expect(said).toEqual(['vault 1: other'])
    expect(rollup.chain.vault).toMatchObject({ value: 7_000n, number: 1 })
    expect(rollup.mine(rollup.spendVault([], 6_000n)).map(say)).toEqual(['vault 2: other'])
  })

  test('ends the vault elsewhere, for good', () => {
    for (const outputs of [[changeOutput()], [changeOutput(), vaultOutput(9_000n)], []]) {
      const { rollup, said } = after((at) => transaction([headOf(at)], outputs))
      expect(said).toEqual(['vault 1: close'])
      expect(rollup.chain.vault).toMatchObject({ closedAt: 103, value: 0n })
      expect(rollup.mine(transaction([headOf(rollup)], [vaultOutput(1n)]))).toEqual([])
      expect(rollup.chain.mode).toBe('active')
    }
  })

  test('and of the anchor link is read as both', () => {
    const { rollup, said } = after((at) =>
      transaction([spend(at.chain.link.outpoint), headOf(at)], [vaultOutput(9_000n), linkOutput()]),
    )
    expect(said).toEqual(['link 2: close, the spend of the anchor link is malformed', 'vault 1: other', 'exit'])
    expect(rollup.chain.vault.value).toBe(9_000n)
    const { said: again } = after((at) => {
      const anchor = { kind: 'resume', headerHash: bytes32(0), word: bytes32(0) } as const
      const { inputs, outputs } = linkTransaction(at.chain.link.outpoint, anchor)
      return transaction([...inputs, headOf(at)], outputs)
    })
    expect(again).toEqual(['link 2: resume', 'vault 1: close'])
  })

  test('of an earlier head is nothing', () => {
    const { rollup } = after((at) => at.spendVault([], 9_000n))
    expect(rollup.mine(transaction([spend(params.vault)], [vaultOutput(1n)]))).toEqual([])
  })
})

describe('a payout', () => {
  test('pays the claims that its tag names', () => {
    const { rollup, said } = after((at) => at.spendVault([], 8_000n, tagFor(0, 2), paid(), paid()))
    expect(said).toEqual(['vault 1: payout, pays 0 2'])
    expect(rollup.chain.vault.paid).toEqual([
      [0, 1],
      [2, 3],
    ])
  })

  test('also far apart, up to what one tag can name', () => {
    const { rollup } = after((at) => at.spendVault([], 8_000n, tagFor(4, 315), paid(), paid()))
    expect(rollup.chain.vault.paid).toEqual([
      [4, 5],
      [315, 316],
    ])
    expect(() => tagFor(4, 316)).toThrow(RangeError)
    expect(() => tagFor()).toThrow(RangeError)
  })

  test('pays none that was paid before', () => {
    const { rollup } = after((at) => at.spendVault([], 8_000n, tagFor(0, 2), paid(), paid()))
    const again = rollup.spendVault([], 7_000n, tagFor(0, 1, 3), paid(), paid(), paid())
    expect(rollup.mine(again).map(say)).toEqual(['vault 2: payout, pays 1 3'])
    expect(rollup.chain.vault.paid).toEqual([[0, 4]])
    expect(rollup.mine(rollup.spendVault([], 7_000n, tagFor(2), paid())).map(say)).toEqual(['vault 3: other'])
  })

  test.each<[string, (rollup: Rollup) => L1Transaction]>([
    ['an output missing', (at) => at.spendVault([], 8_000n, tagFor(0, 1), paid())],
    ['an output too many', (at) => at.spendVault([], 8_000n, tagFor(0), paid(), paid())],
    ['two tags', (at) => at.spendVault([], 8_000n, tagFor(0), tagFor(0))],
    ['the head at another input', (at) => transaction([coin(), headOf(at)], [vaultOutput(8_000n), tagFor(0), paid()])],
    ['no tag', (at) => at.spendVault([], 8_000n, paid(), paid())],
    [
      'a tag of another kind',
      (at) => at.spendVault([], 8_000n, tagOutput({ kind: 'deposit', key: bytes32(1), refundKey: bytes32(1) }), paid()),
    ],
  ])('with %s pays nothing, and the vault goes on', (_, make) => {
    const { rollup, said } = after(make)
    expect(said).toEqual(['vault 1: other'])
    expect(rollup.chain.vault).toMatchObject({ value: 8_000n, paid: [] })
  })

  test('pays nothing where the vault ends, nor without the vault', () => {
    const { rollup, said } = after((at) => transaction([headOf(at)], [changeOutput(), tagFor(0), paid()]))
    expect([said, rollup.chain.vault.paid]).toEqual([['vault 1: close'], []])
    const { rollup: other, said: nothing } = after(() =>
      transaction([coin()], [vaultOutput(8_000n), tagFor(0), paid()]),
    )
    expect([nothing, other.chain.vault.number]).toEqual([[], 0])
  })

  test('may sweep as well', () => {
    const rollup = startedRollup()
    const deposit = depositTransaction(bytes32(5), 5_000n)
    rollup.mine(deposit)
    const both = rollup.spendVault([spend({ txid: deposit.txid, vout: 0 })], 8_000n, tagFor(0), paid())
    expect(rollup.mine(both).map(say)).toEqual(['vault 1: payout, 1 swept, pays 0'])
  })
})

test('a vault is what its blocks make it: a reorg gives back head and claims', () => {
  const rollup = startedRollup()
  const first = rollup.chain.vault
  rollup.mine(rollup.spendVault([], 8_000n, tagFor(0), paid()))
  rollup.mine(rollup.spendVault([], 7_000n, tagFor(1), paid()))
  rollup.reorganise(103)
  expect(rollup.chain.vault).toMatchObject({ number: 1, value: 8_000n, paid: [[0, 1]] })
  rollup.reorganise(102)
  expect(rollup.chain.vault).toEqual(first)
})

describe('the header that a payout names', () => {
  const payout = (rollup: Rollup, headerHash: Uint8Array, ...claims: number[]) =>
    rollup.spendVault([], 8_000n, tagOutput({ kind: 'payout', headerHash, claims }), ...claims.map(() => paid()))

  test('must be one of this chain’s: final, now or before, or alive', () => {
    const rollup = startedRollup()
    const [first, second] = [rollup.build(), rollup.build()]
    rollup.mine(rollup.anchor(first), rollup.anchor(second))
    rollup.mineUpTo(rollup.bitcoin.height + params.windows.dispute)
    const alive = rollup.build()
    rollup.post(alive)
    for (const [at, { hash }] of [first, second, alive].entries())
      expect(rollup.mine(payout(rollup, hash, at)).map(say)).toEqual([`vault ${at + 1}: payout, pays ${at}`])
    expect(rollup.mine(payout(rollup, bytes32(0), 3)).map(say)).toEqual(['vault 4: other'])
  })

  test('no longer is one where a reorg took its batch: nobody else’s claim counts as paid', () => {
    const rollup = startedRollup()
    const fork = rollup.bitcoin.height
    const lost = rollup.build()
    rollup.post(lost)
    rollup.mineUpTo(rollup.bitcoin.height + params.windows.dispute)
    const sent = payout(rollup, lost.hash, 0)
    expect(rollup.mine(sent).map(say)).toEqual(['vault 1: payout, pays 0'])
    rollup.reorganise(fork)
    rollup.mine()
    rollup.post(rollup.build())
    expect(rollup.mine(sent).map(say)).toEqual(['vault 1: other'])
    expect(rollup.chain.vault.paid).toEqual([])
  })
})

describe('paid claims', () => {
  const tags = fc.array(fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 12 }), {
    maxLength: 8,
  })

  /** What blocks with payouts of these claims make of it. */
  function payAll(payouts: readonly (readonly number[])[]): PaidClaims {
    const tag = (claims: readonly number[]): PayoutTag => ({ kind: 'payout', headerHash: bytes32(0), claims })
    return payouts.reduce((vault, claims) => {
      const outputs = [vaultOutput(8_000n), tagFor(...[...claims].sort((a, b) => a - b)), ...claims.map(() => paid())]
      return spendVault(params, vault, transaction([spend(vault.head)], outputs), 0, 103, tag(claims)).vault
    }, genesisVault(params)).paid
  }

  test('are those that payouts named, whatever the order', () => {
    fc.assert(
      fc.property(tags, fc.nat(70), fc.nat(70), fc.nat(9), (payouts, count, from, limit) => {
        const runs = payAll(payouts)
        const all = new Set(payouts.flat())
        const unpaid = Array.from({ length: count }, (_, claim) => claim).filter((claim) => !all.has(claim))
        for (let claim = 0; claim <= 70; claim++) expect(isPaid(runs, claim)).toBe(all.has(claim))
        expect(paidEnd(runs)).toBe(1 + Math.max(-1, ...all))
        expect(unpaidBelow(runs, count)).toEqual(unpaid)
        expect(unpaidBelow(runs, count, from, limit)).toEqual(unpaid.filter((claim) => claim >= from).slice(0, limit))
        const earlier = payAll(payouts.slice(0, 3))
        expect(paidBetween(earlier, runs)).toEqual(
          [...all].filter((claim) => !isPaid(earlier, claim)).sort((a, b) => a - b),
        )
      }),
    )
  })

  test('take no more room than the unpaid ones between them', () => {
    fc.assert(
      fc.property(tags, (payouts) => {
        const runs = payAll(payouts)
        expect(runs.length).toBeLessThanOrEqual(1 + unpaidBelow(runs, paidEnd(runs)).length)
      }),
    )
    const many = Array.from({ length: 60 }, (_, at) => Array.from({ length: 100 }, (_, claim) => 1 + 100 * at + claim))
    expect(payAll(many)).toEqual([[1, 6001]])
  })
})
