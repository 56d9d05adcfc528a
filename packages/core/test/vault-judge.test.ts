import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { plannedVbytes, planPayout, planSweep } from '../src/payout.ts'
import { judgeAsked, judgeProposal, type PayableClaim, proposeNext, type VaultView } from '../src/vault-judge.ts'
import {
  decodeProposal,
  encodeProposal,
  type PayoutProposal,
  type SweepProposal,
  type VaultProposal,
} from '../src/vault-proposal.ts'
import { depositTransaction } from './bitcoin.ts'
import { fundedRollup, withdraw } from './economy.ts'
import type { Rollup } from './rollup.ts'
import { bytes32, params, payoutScript, quickKey } from './world.ts'

const { originDepth: k, dispute: D, refund: R, margin: m } = params.windows
const CAP = 20_000n

function viewOf({ chain, facts, claims }: Rollup): VaultView {
  const payable = claims
    .filter(({ payableAt }) => payableAt <= chain.height)
    .map(({ claim, batch }) => ({ ...claim, batch }))
  return { params, chain, facts, payable }
}

/** Claims 0 to 2 are payable, 3 is anchored; one deposit may be swept, one is too young. */
function busy(): Rollup {
  const { rollup } = fundedRollup(5)
  rollup.post(rollup.build(...[0, 1, 2].map((cell) => withdraw(cell, 0, { script: payoutScript(100 + cell) }))))
  rollup.mineUpTo(rollup.bitcoin.height + D + k - 2)
  rollup.mine(depositTransaction(quickKey(7), 30_000n), rollup.anchor(rollup.build(withdraw(3, 0))))
  rollup.mine(depositTransaction(quickKey(8), 30_000n))
  return rollup
}

function sweepOf(rollup: Rollup): SweepProposal {
  const proposal = proposeNext({ ...viewOf(rollup), payable: [] }, [1_000n])
  if (proposal?.kind !== 'sweep') throw new Error('there is nothing to sweep')
  return proposal
}

function payoutOf(rollup: Rollup, rate = 1_000n): PayoutProposal {
  const view = viewOf(rollup)
  const chain = { ...view.chain, vault: { ...view.chain.vault, number: 1 } }
  const proposal = proposeNext({ ...view, chain }, [rate])
  if (proposal?.kind !== 'payout') throw new Error('there is nothing to pay')
  return proposal
}

const verdict = (rollup: Rollup, proposal: VaultProposal) => {
  const judged = judgeProposal(viewOf(rollup), proposal, CAP)
  return judged.ok ? 'signed' : judged.refusal
}

describe('what a watcher is asked to sign', () => {
  test('is the plan that it would have made itself, to the byte', () => {
    const rollup = busy()
    const { chain, facts, payable } = viewOf(rollup)
    const { vault, final, height } = chain
    expect(judgeProposal(viewOf(rollup), sweepOf(rollup), CAP)).toEqual({
      ok: true,
      plan: planSweep(params, vault, facts.unspentDeposits(), height + 1, 1_000n),
    })
    expect(judgeProposal(viewOf(rollup), payoutOf(rollup), CAP)).toEqual({
      ok: true,
      plan: planPayout(params, vault, payable, final.headerHash, 1_000n),
    })
  })

  test('takes turns where both are due', () => {
    const rollup = busy()
    const view = viewOf(rollup)
    const at = (number: number) => ({ ...view, chain: { ...view.chain, vault: { ...view.chain.vault, number } } })
    expect([0, 1, 2, 3].map((number) => proposeNext(at(number), [1_000n])?.kind)).toEqual([
      'sweep',
      'payout',
      'sweep',
      'payout',
    ])
    expect(proposeNext(at(0), [100_000n, 1_000n])?.kind).toBe('sweep')
    expect(proposeNext(at(0), [100_000n])).toBeUndefined()
  })

  test.each<[string, Partial<PayoutProposal>]>([
    ['head', { head: params.genesis }],
    ['head', { head: { txid: bytes32(9), vout: 0 } }],
    ['claims', { claims: [0, 1, 4] }],
    ['claims', { claims: [0, 1, 3] }],
    ['header', { headerHash: bytes32(9) }],
    ['header', { headerHash: bytes32(0) }],
    ['fee', { fee: 301n }],
    ['fee', { fee: 3n * 1_000_000n }],
  ])('is refused as a payout with a wrong %s', (refusal, more) => {
    const rollup = busy()
    expect(verdict(rollup, { ...payoutOf(rollup), ...more })).toBe(refusal)
  })

  test('is refused where the header is older than a claim’s batch, or not final yet', () => {
    const rollup = busy()
    const [funding] = rollup.batches
    const alive = rollup.chain.line.at(-1)
    expect(rollup.facts.finalNumber(funding?.hash ?? bytes32(1))).toBeDefined()
    expect(verdict(rollup, { ...payoutOf(rollup), headerHash: funding?.hash ?? bytes32(1) })).toBe('claims')
    expect(verdict(rollup, { ...payoutOf(rollup), headerHash: alive?.headerHash ?? bytes32(1) })).toBe('header')
  })

  test('is refused above the cap, whatever claims could bear', () => {
    const rollup = busy()
    const proposal = payoutOf(rollup)
    const judged = judgeProposal(viewOf(rollup), proposal, CAP)
    if (!judged.ok) throw new Error(judged.refusal)
    const vbytes = BigInt(plannedVbytes(params, judged.plan.inputs, judged.plan.outputs))
    const rate = ((proposal.fee - 3n) * 1000n) / vbytes
    expect(judgeProposal(viewOf(rollup), proposal, rate + 1n).ok).toBe(true)
    expect(judgeProposal(viewOf(rollup), proposal, rate)).toEqual({ ok: false, refusal: 'fee' })
  })

  test('is refused once it is paid, and of an earlier head', () => {
    const rollup = busy()
    const old = payoutOf(rollup)
    rollup.mine(rollup.sweep())
    expect(verdict(rollup, old)).toBe('head')
    const judged = judgeProposal(viewOf(rollup), { ...old, head: rollup.chain.vault.head }, CAP)
    if (!judged.ok) throw new Error(judged.refusal)
    const [next, ...others] = judged.plan.outputs
    rollup.mine(rollup.spendVault([], next?.value ?? 0n, ...others))
    expect(rollup.chain.vault.paid).toEqual([[0, 3]])
    expect(verdict(rollup, { ...old, head: rollup.chain.vault.head })).toBe('claims')
  })

  test('is refused as a sweep of what is none, too young, too old, spent, twice, or out of order', () => {
    const rollup = busy()
    const good = sweepOf(rollup)
    const [mature] = good.deposits
    const young = rollup.facts.unspentDeposits().at(-1)
    if (mature === undefined || young === undefined) throw new Error('there are no deposits')
    const youngest = { txid: young.txid, vout: young.position.index }
    const asked = (...deposits: SweepProposal['deposits']) => verdict(rollup, { ...good, fee: 0n, deposits })
    expect(asked(mature)).toBe('signed')
    for (const deposits of [[youngest], [mature, youngest], [mature, mature], [params.genesis]])
      expect(asked(...deposits)).toBe('deposits')
    expect(verdict(rollup, { ...good, fee: params.fees.deposit + 1n })).toBe('fee')
    rollup.mine()
    expect([asked(mature, youngest), asked(youngest, mature)]).toEqual(['signed', 'deposits'])
    rollup.mineUpTo(rollup.bitcoin.height + R - m)
    expect(asked(mature)).toBe('deposits')
  })

  test('is nothing where the vault would be left with dust, or has ended', () => {
    const rollup = busy()
    const view = viewOf(rollup)
    const worn = { ...view.chain.vault, value: 10_000n }
    const judge = (vault: typeof worn) =>
      judgeProposal({ ...view, chain: { ...view.chain, vault } }, payoutOf(rollup), CAP)
    expect(judge(worn)).toEqual({ ok: false, refusal: 'dust' })
    expect(judge({ ...view.chain.vault, closedAt: 100 })).toEqual({ ok: false, refusal: 'head' })
  })
})

describe('a watcher that is asked', () => {
  const asked = (view: VaultView, proposal: VaultProposal, cap = CAP) => {
    const judged = judgeAsked(view, proposal, cap)
    return judged.ok ? 'signed' : judged.refusal
  }
  const inTurn = (view: VaultView, number: number): VaultView => ({
    ...view,
    chain: { ...view.chain, vault: { ...view.chain.vault, number } },
  })

  test('signs no payout that leaves out who could be paid at that rate, nor one that names an older header', () => {
    const rollup = busy()
    const view = inTurn(viewOf(rollup), 1)
    const whole = payoutOf(rollup)
    expect(asked(view, whole)).toBe('signed')
    for (const claims of [[0], [1], [2], [0, 1], [0, 2], [1, 2]]) {
      const part = { ...whole, claims, fee: BigInt(claims.length) * 200n }
      expect([claims, judgeProposal(view, part, CAP).ok, asked(view, part)]).toEqual([claims, true, 'choice'])
    }
    const older = rollup.chain.final.headerHash
    rollup.mineUpTo(rollup.bitcoin.height + D + k - 1)
    const later = inTurn(viewOf(rollup), 1)
    expect(later.payable.map(({ number }) => number)).toEqual([0, 1, 2, 3])
    expect(judgeProposal(later, { ...whole, headerHash: older }, CAP).ok).toBe(true)
    expect(asked(later, { ...whole, headerHash: older })).toBe('choice')
    expect(asked(later, payoutOf(rollup))).toBe('signed')
  })

  test('signs a sweep and a payout in their turns only, and no sweep of a part', () => {
    const rollup = busy()
    rollup.mine()
    const view = viewOf(rollup)
    const sweep = sweepOf(rollup)
    expect(sweep.deposits.length).toBe(2)
    const turns = (proposal: VaultProposal) => [0, 1].map((number) => asked(inTurn(view, number), proposal))
    expect(turns(sweep)).toEqual(['signed', 'choice'])
    expect(turns(payoutOf(rollup))).toEqual(['choice', 'signed'])
    expect(turns({ ...sweep, deposits: sweep.deposits.slice(0, 1), fee: 200n })).toEqual(['choice', 'choice'])
    expect(asked({ ...inTurn(view, 1), payable: [] }, sweep)).toBe('signed')
  })

  /** Claims that differ in what they bear, beside a deposit that is due; either may be first. */
  const due = fc.record({
    fees: fc.array(fc.integer({ min: 300, max: 20_000 }), { minLength: 1, maxLength: 12 }),
    number: fc.integer({ min: 0, max: 1 }),
    rate: fc.integer({ min: 1_000, max: 40_000 }).map(BigInt),
  })
  const rollup = busy()
  const [any] = viewOf(rollup).payable
  const crowd = (fees: readonly number[], number: number): VaultView => {
    if (any === undefined) throw new Error('there is no claim')
    const payable = fees.map((fee, at): PayableClaim => ({ ...any, number: at, payoutFee: BigInt(fee) }))
    return { ...inTurn(viewOf(rollup), number), payable }
  }

  test('signs what any honest watcher at the same block proposes, at whatever rate up to its cap', () => {
    fc.assert(
      fc.property(due, ({ fees, number, rate }) => {
        const view = crowd(fees, number)
        const proposal = proposeNext(view, [rate])
        fc.pre(proposal !== undefined)
        expect(asked(view, proposal, rate)).toBe('signed')
      }),
      { numRuns: 300 },
    )
  })

  test('signs nothing for a liar that leaves out somebody who bears the share', () => {
    const signed = new Set<boolean>()
    const some = fc.tuple(due, fc.integer({ min: 1, max: 8_000 }), fc.nat())
    fc.assert(
      fc.property(some, ([{ fees }, share, bits]) => {
        const view = crowd(fees, 1)
        const bearing = fees.flatMap((bears, at) => (bears >= share ? [at] : []))
        const claims = bearing.filter((_, at) => (bits >> at) % 2 === 0)
        fc.pre(claims.length > 0)
        const { head } = view.chain.vault
        const { headerHash } = view.chain.final
        const proposal = { kind: 'payout', head, fee: BigInt(share * claims.length), headerHash, claims } as const
        expect(judgeProposal(view, proposal, 100_000_000n).ok).toBe(true)
        const isSigned = asked(view, proposal, 100_000_000n) === 'signed'
        if (isSigned) expect(claims).toEqual(bearing)
        signed.add(isSigned)
      }),
      { numRuns: 500 },
    )
    expect(signed.size).toBe(2)
  })
})

test('a proposal has one encoding, and its reader takes no other bytes', () => {
  const outpoint = fc.record({
    txid: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    vout: fc.integer({ min: 0, max: 0xffffffff }),
  })
  const fee = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
  const sweep = fc.record({
    kind: fc.constant('sweep' as const),
    head: outpoint,
    fee,
    deposits: fc.array(outpoint, { minLength: 1, maxLength: 100 }),
  })
  const claims = fc
    .uniqueArray(fc.integer({ min: 0, max: 311 }), { minLength: 1, maxLength: 40 })
    .map((list) => list.sort((a, b) => a - b))
  const headerHash = fc.uint8Array({ minLength: 32, maxLength: 32 })
  const payout = fc.record({ kind: fc.constant('payout' as const), head: outpoint, fee, headerHash, claims })
  fc.assert(
    fc.property(fc.oneof(sweep, payout), fc.nat(), (proposal, at) => {
      const bytes = encodeProposal(proposal)
      expect(decodeProposal(bytes)).toEqual(proposal)
      expect(decodeProposal(Uint8Array.of(...bytes, 0))).toBeUndefined()
      const place = at % bytes.length
      for (const other of [bytes.with(place, (bytes[place] as number) ^ 1), bytes.slice(0, place)]) {
        const read = decodeProposal(other)
        if (read !== undefined) expect(encodeProposal(read)).toEqual(other)
      }
    }),
    { numRuns: 200 },
  )
})
