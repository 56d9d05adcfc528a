import { describe, expect, test } from 'vitest'
import { concatBytes } from '../src/bytes.ts'
import { encodeCollect } from '../src/collect.ts'
import { batchLimits, findDue } from '../src/duty.ts'
import { decodeEvidence, type Evidence, encodeEvidence, verifyEvidence } from '../src/evidence.ts'
import { encodeOperation } from '../src/operation.ts'
import { encodeSigned, type SignedOperation } from '../src/signed.ts'
import {
  coin,
  depositTransaction,
  forcedTransaction,
  pieceInputs,
  signalOutput,
  tagOutput,
  transaction,
} from './bitcoin.ts'
import { factsWith, linkOf, proveAgainst } from './challenger.ts'
import { fundedRollup, nothing, pay, payNew, rig, withdraw } from './economy.ts'
import { type Batch, contextOf, execute, type Rollup, startedRollup } from './rollup.ts'
import { say } from './trace.ts'
import { params, quickKey } from './world.ts'

const F = params.windows.forced
const tag = tagOutput({ kind: 'forced' })
const bytes = encodeSigned(pay(0, 1, 0))

describe('what is forced', () => {
  test('a signed operation in pieces, at the place of its transaction', () => {
    const rollup = startedRollup()
    const said = rollup.mine(forcedTransaction(pay(0, 1, 0)), forcedTransaction(withdraw(3, 7)))
    expect(said.map(say)).toEqual(['forced transfer of cell 0 at 103/1', 'forced withdrawal of cell 3 at 103/2'])
    expect(rollup.facts.forcedAfter({ height: 103, tx: 1, index: 0 })?.operation).toEqual(withdraw(3, 7))
  })

  test.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array(0)],
    ['half of it', bytes.slice(0, 100)],
    ['a byte too many', concatBytes(bytes, Uint8Array.of(0))],
    ['two of them', concatBytes(bytes, bytes)],
    ['what nobody signs', encodeCollect({ kind: 'collect', cell: 0, amount: 1n })],
    [
      'something forced',
      encodeOperation({ kind: 'forced', position: { height: 1, tx: 1, index: 0 }, operation: pay(0, 1, 0) }),
    ],
  ])('%s is not', (_, published) => {
    const rollup = startedRollup()
    const said = rollup.mine(transaction([coin(), ...pieceInputs(published)], [tag, signalOutput()])).map(say)
    expect(said).toEqual(['ignored forced: it does not pay the signal script, or carries no signed operation'])
    expect(rollup.facts.allForcedAfter({ height: 0, tx: 0, index: 0 })).toEqual([])
  })

  test('not without paying the signal script, without the tag, or beside another', () => {
    const rollup = startedRollup()
    const pieces = [coin(), ...pieceInputs(bytes)]
    const cheap = transaction(pieces, [tag, signalOutput(329n)])
    const [bare, twice] = [transaction(pieces, [signalOutput()]), transaction(pieces, [tag, tag, signalOutput()])]
    expect(rollup.mine(cheap, bare, twice).length).toBe(1)
    expect(rollup.facts.allForcedAfter({ height: 0, tx: 0, index: 0 })).toEqual([])
  })

  test('a reorg takes it away', () => {
    const rollup = startedRollup()
    rollup.mine(forcedTransaction(pay(0, 1, 0)))
    rollup.mine(forcedTransaction(pay(0, 1, 1)))
    rollup.facts.truncate(103)
    expect(rollup.facts.allForcedAfter({ height: 0, tx: 0, index: 0 }).length).toBe(1)
  })
})

/** A funded rollup on which these were forced, each in its place, F blocks below the origin; a deposit is due too. */
function forcedRollup(...operations: readonly SignedOperation[]): Rollup {
  const { rollup } = fundedRollup()
  rollup.mine(...operations.map(forcedTransaction), ...rollup.swept(depositTransaction(quickKey(0), 5_000n)))
  rollup.mineUpTo(rollup.bitcoin.height + F)
  return rollup
}

const kindsOf = ({ operations }: Batch) => operations.map(([kind]) => kind)

describe('which is due', () => {
  const rollup = startedRollup()
  rollup.mine(forcedTransaction(pay(0, 1, 0)), forcedTransaction(pay(0, 1, 1)))
  const due = (originHeight: number, tx: number, index = 0) => {
    const totals = { ...rollup.ledger.totals, forcedCursor: { height: 103, tx, index: 0 } }
    const found = findDue(batchLimits(params), rollup.facts, originHeight, totals, index)
    return found?.kind === 'forced' ? found.operation.position.tx : undefined
  }

  test('the first behind the cursor, F blocks below the origin, up to both caps', () => {
    expect([due(104, 0), due(105, 0), due(105, 1), due(105, 2)]).toEqual([undefined, 1, 2, undefined])
    const { deposits, forced } = params.caps
    expect([due(105, 0, deposits + forced - 1), due(105, 0, deposits + forced)]).toEqual([1, undefined])
  })

  test('deposits, then what is forced, then the users’', () => {
    const batch = forcedRollup(pay(1, 2, 0), withdraw(2, 0)).build(pay(3, 4, 0))
    expect(kindsOf(batch)).toEqual([2, 5, 5, 1])
  })

  test('what can’t stand is used up, and changes nothing else', () => {
    const made = forcedRollup(pay(1, 2, 5), { ...withdraw(2, 0), amount: 1n }, pay(1, 2, 0))
    const { withdrawals, count } = made.ledger.totals
    expect(kindsOf(made.build())).toEqual([2, 5, 5, 5])
    expect([made.ledger.tree.account(1).nonce, made.ledger.tree.account(2).nonce]).toEqual([1n, 0n])
    expect(made.ledger.totals).toMatchObject({ withdrawals, count, forcedCursor: { height: 106, tx: 3 } })
  })

  test('used by its signer before: the entry is used up', () => {
    const { rollup: own } = fundedRollup()
    const payment = pay(1, 2, 0)
    own.mine(forcedTransaction(payment))
    own.post(own.build(payment))
    own.mineUpTo(own.bitcoin.height + F)
    expect(kindsOf(own.build())).toEqual([5])
    expect(own.ledger.tree.account(1).nonce).toBe(1n)
  })

  test('one that may make a cell makes a new one, whatever number it was published with', () => {
    const made = forcedRollup(payNew(1, 6, 0), payNew(2, 7, 0), pay(3, 4, 0), { ...payNew(1, 2, 1), toCell: 9 })
    const { count } = made.ledger.totals
    const before = [4, 2].map((cell) => made.ledger.tree.account(cell).balance)
    expect(kindsOf(made.build(payNew(3, 8, 1)))).toEqual([2, 5, 5, 5, 5, 1])
    const owners = [6, 7, 2].map(quickKey)
    expect(owners.map((_, at) => made.ledger.tree.account(count + at).owner)).toEqual(owners)
    expect(made.ledger.totals.count).toBe(count + 4)
    expect(made.ledger.tree.account(4).balance).toBe((before[0] as bigint) + 1_000n)
  })

  test('a flood takes many batches, and no deposit’s place', () => {
    const many = Array.from({ length: 10 }, (_, nonce) => pay(1, 2, nonce))
    const made = forcedRollup(...many)
    expect(kindsOf(made.build())).toEqual([2, 5, 5, 5, 5, 5, 5])
    expect(kindsOf(made.build())).toEqual([5, 5, 5, 5])
    expect(made.ledger.tree.account(1).nonce).toBe(10n)
  })
})

describe('a censor', () => {
  const found = (rollup: Rollup, batch: Batch): string => {
    const evidence = proveAgainst(rollup, batch)
    if (evidence === undefined) return 'nothing'
    const decoded = decodeEvidence(encodeEvidence(evidence)) as Evidence
    const verdict = verifyEvidence(rollup.derivation.court, linkOf(rollup, batch), decoded)
    return `${evidence.claim}: ${verdict.ok ? verdict.fault : verdict.reason}`
  }
  const START = { height: 0, tx: 0, index: 0 }
  /** A batch built as if only so many entries were known. */
  const censored = (rollup: Rollup, known: number, ...operations: SignedOperation[]) => {
    const entries = rollup.facts.allForcedAfter(START).slice(0, known)
    const facts = factsWith(rollup, rollup.facts.allSweptAfter(START), entries)
    return rollup.put(execute(contextOf(facts, rollup.origin), rollup.ledger, operations))
  }

  test('who skips what was forced is found, at the operation that stands there or at the end', () => {
    for (const [known, operations, said] of [
      [0, [pay(3, 4, 0)], 'step: forced-due'],
      [1, [pay(3, 4, 0)], 'step: forced-due'],
      [0, [], 'end: forced-due'],
      [1, [], 'end: forced-due'],
      [2, [pay(3, 4, 0)], 'nothing'],
    ] as const) {
      const rollup = forcedRollup(pay(1, 2, 0), withdraw(2, 0))
      expect(found(rollup, censored(rollup, known, ...operations))).toBe(said)
    }
  })

  test('who puts the users’ own in its place is found', () => {
    const rollup = forcedRollup(pay(1, 2, 0))
    expect(found(rollup, censored(rollup, 0, pay(1, 2, 0)))).toBe('step: forced-due')
  })

  test('who carries it to a cell that would refuse it is found', () => {
    const { rollup } = fundedRollup()
    const operation = payNew(1, 6, 0)
    rollup.mine(forcedTransaction(operation))
    const position = { height: rollup.bitcoin.height, tx: 1, index: 0 }
    const lie = { kind: 'forced', position, operation: { ...operation, toCell: 2 } } as const
    rollup.mineUpTo(rollup.bitcoin.height + F)
    expect(found(rollup, rollup.put(rig(rollup.context, rollup.ledger, [lie], 0, nothing)))).toBe('step: not-due')
  })

  test('who forces what nobody forced, or too early, is found', () => {
    const { rollup } = fundedRollup()
    const operation = payNew(1, 5, 0)
    rollup.mine(forcedTransaction(operation))
    const forced = { kind: 'forced', position: { height: 106, tx: 1, index: 0 }, operation } as const
    expect(found(rollup, rollup.put(rig(rollup.context, rollup.ledger, [forced], 0, nothing)))).toBe('step: not-due')
  })
})
