import { describe, expect, test } from 'vitest'
import { concatBytes } from '../src/bytes.ts'
import type { Credit, Deposit, SweptDeposit } from '../src/deposit.ts'
import { decodeEvidence, type Evidence, type EvidenceFault, encodeEvidence, verifyEvidence } from '../src/evidence.ts'
import type { Operation } from '../src/operation.ts'
import { encodeTransfer } from '../src/transfer.ts'
import { depositTransaction } from './bitcoin.ts'
import { factsWith, linkOf, proveAgainst } from './challenger.ts'
import { fundedRollup, mint, nothing, pay, payNew, type Rig, rig, withRoot } from './economy.ts'
import { type Batch, contextOf, execute, type Rollup, startedRollup } from './rollup.ts'
import { bytes32, isSigned, keyOf, params, quickKey, secretOf, sign } from './world.ts'

/** Each way in which a batch can be wrong, and the evidence that one who knows its data finds against it. */

/** Judges evidence as it comes from Bitcoin: encoded, against the link that anchors the batch. */
function judge(rollup: Rollup, batch: Batch, evidence = proveAgainst(rollup, batch)) {
  if (evidence === undefined) throw new Error('there is no evidence')
  const decoded = decodeEvidence(encodeEvidence(evidence)) as Evidence
  expect(decoded).toEqual(evidence)
  const verdict = verifyEvidence(rollup.derivation.court, linkOf(rollup, batch), decoded)
  return verdict.ok
    ? `${decoded.claim}${decoded.claim === 'step' ? ` ${decoded.index}` : ''}: ${verdict.fault}`
    : verdict.reason
}

describe('an operation that can’t stand', () => {
  const collect = (cell: number, amount: bigint): Operation => ({ kind: 'collect', cell, amount })
  const deposit: Credit = {
    kind: 'deposit',
    position: { height: 104, tx: 1, index: 0 },
    key: quickKey(0),
    amount: 10n ** 6n,
    cell: 0,
  }
  const forged = { ...pay(0, 2, 0), signature: pay(1, 2, 0).signature }
  const rich = { amount: 2n ** 64n - 1n, fee: 2n ** 64n - 1n }
  const toNew = { toCell: 6, mayCreate: true, fee: 10_100n }

  test.each<[string, EvidenceFault, Operation | Uint8Array]>([
    ['bytes that do not decode', 'undecodable', Uint8Array.of(9, 9, 9)],
    ['no bytes', 'undecodable', new Uint8Array(0)],
    ['a kilobyte', 'undecodable', new Uint8Array(1000).fill(1)],
    ['a transfer with a byte behind it', 'undecodable', concatBytes(encodeTransfer(pay(0, 1, 0)), Uint8Array.of(0))],
    ['a payer that does not exist', 'unknown-cell', pay(0, 1, 0, { from: 77 })],
    ['a payer where the next cell would be', 'unknown-cell', pay(0, 1, 0, { from: 6 })],
    ['a recipient beyond the next cell', 'unknown-cell', pay(0, 9, 0, { ...toNew, toCell: 7 })],
    ['a payer and a recipient out of this world', 'unknown-cell', pay(0, 1, 0, { from: 2 ** 47, toCell: 2 ** 47 + 1 })],
    ['a transfer to oneself', 'self-transfer', pay(0, 0, 0)],
    ['a transfer of a new cell to itself', 'unknown-cell', pay(0, 9, 0, { ...toNew, from: 6 })],
    ['nothing to transfer', 'zero-amount', pay(0, 1, 0, { amount: 0n })],
    ['a nonce used before', 'nonce-used', pay(1, 0, 0)],
    ['a nonce too high', 'nonce-ahead', pay(0, 1, 1)],
    ['an expiry passed', 'expired', pay(0, 1, 0, { expiry: 104 })],
    ['a cell created unasked', 'may-not-create', pay(0, 9, 0, { ...toNew, mayCreate: false })],
    ['a fee below the minimum', 'fee-too-low', pay(0, 1, 0, { fee: 99n })],
    ['a fee that does not pay for the cell', 'fee-too-low', pay(0, 9, 0, { ...toNew, fee: 10_099n })],
    ['another owner’s cell', 'wrong-recipient', pay(0, 1, 0, { toCell: 2 })],
    ['more than there is', 'insufficient-funds', pay(0, 1, 0, { amount: 10n ** 8n })],
    ['the most that can be written', 'insufficient-funds', pay(0, 1, 0, rich)],
    ['another’s signature', 'bad-signature', forged],
    ['fees that were never collected', 'insufficient-funds', collect(0, 10n ** 12n)],
    ['fees for somebody else', 'wrong-recipient', collect(0, 10n)],
    ['no fees at all', 'zero-amount', collect(0, 0n)],
    ['fees that do not pay for the cell', 'fee-too-low', collect(6, 10_000n)],
    ['fees for a cell beyond the next', 'unknown-cell', collect(7, 10n)],
    ['a deposit that nobody made', 'not-due', deposit],
  ])('%s: %s', (_, fault, operation) => {
    const { rollup } = fundedRollup()
    const operations = [payNew(1, 5, 0), operation, payNew(2, 6, 0)]
    const batch = rollup.put(rig(rollup.context, rollup.ledger, operations, 1, nothing))
    expect(judge(rollup, batch)).toBe(`step 1: ${fault}`)
  })

  test('a real signature that is not the owner’s', () => {
    const rollup = startedRollup(isSigned)
    rollup.mine(...rollup.swept(depositTransaction(keyOf(31), 100_000n), depositTransaction(keyOf(32), 100_000n)))
    rollup.post(rollup.build())
    const payment = { from: 0, to: keyOf(32), toCell: 1, amount: 1000n }
    const believer = { ...rollup.context, isSigned: () => true }
    const batch = rollup.put(execute(believer, rollup.ledger, [sign(secretOf(32), payment)]))
    expect(judge(rollup, batch)).toBe('step 0: bad-signature')
  })
})

describe('a wrong root', () => {
  const operations = [
    pay(0, 1, 0),
    payNew(1, 5, 0),
    payNew(2, 6, 0),
    pay(5, 0, 0, { amount: 1n, fee: 100n }),
    payNew(0, 7, 1),
  ]

  test.each([0, 1, 2, 3, 4])('at %i, the others true', (at) => {
    const { rollup } = fundedRollup()
    rollup.build(...operations.map((operation, index) => (index === 3 ? pay(1, 0, 1) : operation)))
    const honest = rollup.lie({})
    const batch = rollup.lie({}, { stepRoots: withRoot(honest.stepRoots, at, bytes32(0xee)) })
    expect(judge(rollup, batch)).toBe(`step ${at}: wrong-root`)
  })

  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])('of a state with %i cells before the step that creates one', (cells) => {
    const { rollup } = fundedRollup(Math.max(cells, 1))
    if (cells === 0) return expectDepositRigged()
    const batch = rollup.put(
      rig(rollup.context, rollup.ledger, [payNew(0, cells, 0)], 0, mint(rollup.context, cells, 1n)),
    )
    expect(judge(rollup, batch)).toBe('step 0: wrong-root')
  })

  test('money for a payer, a recipient, a depositor, the collector', () => {
    for (const cell of [0, 1]) {
      const { rollup } = fundedRollup()
      const batch = rollup.put(
        rig(rollup.context, rollup.ledger, [pay(0, 1, 0)], 0, mint(rollup.context, cell, 10n ** 9n)),
      )
      expect(judge(rollup, batch)).toBe('step 0: wrong-root')
    }
    const { rollup } = fundedRollup()
    const collect: Operation = { kind: 'collect', cell: 5, amount: 20_000n }
    const batch = rollup.put(rig(rollup.context, rollup.ledger, [collect], 0, mint(rollup.context, 5, 1n)))
    expect(judge(rollup, batch)).toBe('step 0: wrong-root')
    expectDepositRigged()
  })

  test('totals that are not kept', () => {
    const changes: Rig[] = [
      (ledger) => ({ updates: [], totals: { ...ledger.totals, supply: ledger.totals.supply + 1n } }),
      (ledger) => ({ updates: [], totals: { ...ledger.totals, count: ledger.totals.count + 1 } }),
      (ledger) => ({ updates: [], totals: { ...ledger.totals, withdrawals: 1 } }),
      (ledger) => ({ updates: [], totals: { ...ledger.totals, depositCursor: { height: 200, tx: 0, index: 0 } } }),
    ]
    for (const how of changes) {
      const { rollup } = fundedRollup()
      const batch = rollup.put(rig(rollup.context, rollup.ledger, [pay(0, 1, 0)], 0, how))
      expect(judge(rollup, batch)).toBe('step 0: wrong-root')
    }
  })

  test('the first of several is what is shown', () => {
    const { rollup } = fundedRollup()
    const honest = rollup.build(pay(0, 1, 0), pay(1, 2, 0), pay(2, 3, 0))
    const garbage = concatBytes(honest.stepRoots.slice(0, 32), bytes32(1), bytes32(2))
    expect(judge(rollup, rollup.lie({}, { stepRoots: garbage }))).toBe('step 1: wrong-root')
  })
})

function expectDepositRigged(): void {
  const rollup = startedRollup()
  rollup.mine(...rollup.swept(depositTransaction(quickKey(0), 100_000n)))
  const credit: Credit = {
    kind: 'deposit',
    position: { height: 103, tx: 2, index: 1 },
    key: quickKey(0),
    amount: 99_500_000n,
    cell: 0,
  }
  const batch = rollup.put(rig(rollup.context, rollup.ledger, [credit], 0, mint(rollup.context, 0, 1n)))
  expect(judge(rollup, batch)).toBe('step 0: wrong-root')
}

describe('deposits', () => {
  /** The first two in each other's places. */
  function exchanged(due: readonly SweptDeposit[]): readonly SweptDeposit[] {
    const [one, two, three] = due as [SweptDeposit, SweptDeposit, SweptDeposit]
    return [{ ...two, position: one.position }, { ...one, position: two.position }, three]
  }

  function withDeposit(one: SweptDeposit, change: Partial<Deposit>): SweptDeposit {
    return { ...one, deposit: { ...one.deposit, ...change } }
  }

  /** Three deposits are due; the liar executes under facts of its own. */
  function lieAbout(
    change: (due: readonly SweptDeposit[]) => readonly SweptDeposit[],
    ...operations: readonly Operation[]
  ): string {
    const { rollup } = fundedRollup()
    const values = [1_000n, 2_000n, 3_000n]
    rollup.mine(...rollup.swept(...values.map((value, at) => depositTransaction(quickKey(at), value))))
    const due = rollup.facts.allSweptAfter(rollup.ledger.totals.depositCursor)
    const context = contextOf(factsWith(rollup, change(due)), rollup.origin)
    return judge(rollup, rollup.put(execute(context, rollup.ledger, operations)))
  }

  test.each<[string, string, (due: readonly SweptDeposit[]) => readonly SweptDeposit[]]>([
    ['all skipped', 'step 0: deposit-due', () => []],
    ['the first skipped', 'step 0: not-due', (due) => due.slice(1)],
    ['the second skipped', 'step 1: not-due', (due) => due.filter((_, at) => at !== 1)],
    ['the last skipped', 'step 2: deposit-due', (due) => due.slice(0, 2)],
    [
      'another amount',
      'step 1: not-due',
      (due) => due.map((one, at) => (at === 1 ? withDeposit(one, { value: 2_001n }) : one)),
    ],
    [
      'another key',
      'step 2: not-due',
      (due) => due.map((one, at) => (at === 2 ? withDeposit(one, { key: quickKey(4) }) : one)),
    ],
    [
      'one invented',
      'step 3: not-due',
      (due) => [...due, { ...(due[2] as SweptDeposit), position: { height: 106, tx: 9, index: 0 } }],
    ],
    ['two exchanged', 'step 0: not-due', exchanged],
  ])('%s', (_, said, change) => {
    expect(lieAbout(change, pay(0, 1, 0))).toBe(said)
  })

  test('skipped in a batch of nothing else, or of nothing at all', () => {
    expect(lieAbout((due) => due.slice(0, 2))).toBe('end: deposit-due')
    expect(lieAbout(() => [])).toBe('end: deposit-due')
  })

  test('credited before the origin has them', () => {
    const { rollup } = fundedRollup()
    const origin = rollup.origin
    rollup.mine(...rollup.swept(depositTransaction(quickKey(0), 1_000n)))
    const content = execute(rollup.context, rollup.ledger, [])
    const batch = rollup.put(content, { origin })
    expect(judge(rollup, batch)).toBe('step 0: not-due')
  })

  test('more than the cap', () => {
    const { rollup } = fundedRollup()
    rollup.mine(...rollup.swept(...[0, 1, 2, 3, 4].map((at) => depositTransaction(quickKey(at), 1_000n))))
    const generous = { ...params, caps: { ...params.caps, deposits: 9 } }
    const batch = rollup.put(execute({ ...rollup.context, params: generous }, rollup.ledger, []))
    expect(judge(rollup, batch)).toBe('step 4: not-due')
  })

  test.each<[string, number, EvidenceFault]>([
    ['another owner’s cell', 1, 'wrong-recipient'],
    ['a cell beyond the next', 6, 'unknown-cell'],
  ])('credited to %s', (_, cell, fault) => {
    const { rollup } = fundedRollup()
    rollup.mine(...rollup.swept(depositTransaction(quickKey(0), 1_000n)))
    const credit: Credit = {
      kind: 'deposit',
      position: { height: 106, tx: 2, index: 1 },
      key: quickKey(0),
      amount: 500_000n,
      cell,
    }
    const batch = rollup.put(rig(rollup.context, rollup.ledger, [credit], 0, nothing))
    expect(judge(rollup, batch)).toBe(`step 0: ${fault}`)
  })
})

test('a post root that is not the last step’s', () => {
  for (const count of [1, 2, 3]) {
    const { rollup } = fundedRollup()
    rollup.build(...[pay(0, 1, 0), pay(1, 2, 0), pay(2, 3, 0)].slice(0, count))
    expect(judge(rollup, rollup.lie({ post: bytes32(0xee) }))).toBe('end: post-is-not-last-step')
  }
})

test('a batch that is right has no evidence against it', () => {
  const { rollup } = fundedRollup()
  rollup.mine(...rollup.swept(depositTransaction(quickKey(0), 1_000n), depositTransaction(quickKey(9), 1_000n)))
  const batch = rollup.build(pay(0, 1, 0), payNew(1, 6, 0), { kind: 'collect', cell: 7, amount: 20_000n })
  expect(proveAgainst(rollup, batch)).toBeUndefined()
})
