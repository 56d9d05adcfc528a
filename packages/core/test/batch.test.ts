import { describe, expect, test } from 'vitest'
import { BatchExecution, buildHeader, checkBatch } from '../src/batch.ts'
import { toHex } from '../src/bytes.ts'
import { decodeHeader, headerHash } from '../src/header.ts'
import { Ledger } from '../src/ledger.ts'
import { merkleRoot, rowOf } from '../src/merkle.ts'
import { encodeOperation, operationId } from '../src/operation.ts'
import { findFirstDifference, proveStep } from '../src/prove.ts'
import { GENESIS_ROOT, GENESIS_TOTALS } from '../src/totals.ts'
import { depositTransaction } from './bitcoin.ts'
import { fundedRollup, pay, payNew, withRoot } from './economy.ts'
import { commit, execute, findCell, ledgerBytes, startedRollup } from './rollup.ts'
import { slotsOf } from './slots.ts'
import { bytes32, quickKey } from './world.ts'

describe('execution', () => {
  test('of nothing leaves everything as it was', () => {
    const { rollup } = fundedRollup()
    const before = rollup.ledger.root
    const sealed = new BatchExecution(rollup.context, rollup.ledger).seal()
    expect([sealed.pre, sealed.post, sealed.opsRoot, sealed.stepsRoot]).toEqual([
      before,
      before,
      bytes32(0),
      bytes32(0),
    ])
    expect([sealed.stepRoots.length, sealed.operations]).toEqual([0, []])
  })

  test('refuses without a trace', () => {
    const { rollup } = fundedRollup()
    const execution = new BatchExecution(rollup.context, rollup.ledger)
    expect(execution.add(pay(0, 1, 0))).toBeUndefined()
    const [steps, totals, root] = [rollup.ledger.steps, rollup.ledger.totals, execution.opsRoot()]
    expect(execution.add(pay(0, 1, 0))).toBe('nonce-used')
    expect(execution.addBytes(Uint8Array.of(1))).toBe('undecodable')
    expect([rollup.ledger.steps, rollup.ledger.totals, execution.count]).toEqual([steps, totals, 1])
    expect(execution.opsRoot()).toEqual(root)
  })

  test('one batch at a time on a ledger, taken back whole', () => {
    const { rollup } = fundedRollup()
    const before = ledgerBytes(rollup.ledger)
    const execution = new BatchExecution(rollup.context, rollup.ledger)
    for (const operation of [pay(0, 1, 0), payNew(1, 5, 0), pay(0, 5, 1)]) {
      expect(execution.add(operation)).toBeUndefined()
    }
    expect(() => new BatchExecution(rollup.context, rollup.ledger)).toThrow('another batch is under way')
    expect(() => rollup.ledger.undo(new Uint8Array(132))).toThrow('not sealed')
    execution.abandon()
    expect(ledgerBytes(rollup.ledger)).toEqual(before)
    expect(execute(rollup.context, rollup.ledger, [pay(0, 1, 0)]).pre).toEqual(before.slice(0, 32))
  })

  test('credits what is due, first, to the cell an owner has or to a new one', () => {
    const rollup = startedRollup()
    rollup.mine(
      ...rollup.swept(...[0, 1, 0, 2, 1].map((owner, at) => depositTransaction(quickKey(owner), 1_000n + BigInt(at)))),
    )
    const execution = new BatchExecution(rollup.context, rollup.ledger)
    expect(execution.add(pay(0, 1, 0))).toBe('deposit-due')
    execution.addDue((key) => findCell(rollup.ledger, key))
    expect(execution.count).toBe(4)
    expect(rollup.ledger.tree.count).toBe(3)
    expect(execution.due()).toBeUndefined()
    execution.seal()
    const next = new BatchExecution(rollup.context, rollup.ledger)
    expect(next.due()).toMatchObject({ swept: { deposit: { value: 1_004n } } })
    expect(() => next.addDue(() => 0)).toThrow("what is due can't be added: wrong-recipient")
  })

  test('a signature checked before counts for the key it was checked for', () => {
    const { rollup } = fundedRollup()
    const strict = { ...rollup.context, isSigned: () => false }
    const execution = new BatchExecution(strict, rollup.ledger)
    const bytes = encodeOperation(pay(0, 1, 0))
    expect(execution.addBytes(bytes)).toBe('bad-signature')
    expect(execution.addBytes(bytes, operationId(bytes), quickKey(1))).toBe('bad-signature')
    expect(execution.addBytes(bytes, operationId(bytes), quickKey(0))).toBeUndefined()
  })

  test('paths among the operations so far', () => {
    const { rollup } = fundedRollup()
    const execution = new BatchExecution(rollup.context, rollup.ledger)
    const ids = [0, 1, 2].map((nonce) => {
      const operation = pay(0, 1, nonce)
      execution.add(operation)
      return operationId(encodeOperation(operation))
    })
    expect(execution.opsRoot()).toEqual(merkleRoot(rowOf(ids)))
    expect(execution.provePath(2).length).toBe(1)
  })
})

describe('checking', () => {
  test('says where an operation fails, with the true roots up to there', () => {
    const { rollup } = fundedRollup()
    const honest = rollup.build(pay(0, 1, 0), pay(1, 2, 0), pay(2, 3, 0))
    rollup.ledger.undo(honest.delta)
    const before = ledgerBytes(rollup.ledger)
    const operations = [...honest.operations.slice(0, 2), encodeOperation(pay(3, 4, 9))]
    const batch = commit(rollup.place, { ...honest, operations })
    const checked = checkBatch(rollup.context, rollup.ledger, batch.header, operations, operations.map(operationId))
    expect(checked).toMatchObject({ ok: false, fault: { at: 2, refusal: 'nonce-ahead' } })
    expect(checked.ok ? '' : toHex(checked.stepRoots)).toBe(toHex(honest.stepRoots.slice(0, 64)))
    expect(ledgerBytes(rollup.ledger)).toEqual(before)
  })

  test('says that the roots differ where every operation stands', () => {
    const { rollup } = fundedRollup()
    const honest = rollup.build(pay(0, 1, 0), pay(1, 2, 0))
    rollup.ledger.undo(honest.delta)
    const wrong = withRoot(honest.stepRoots, 0, bytes32(1))
    for (const batch of [
      commit(rollup.place, honest, { post: bytes32(1) }),
      commit(rollup.place, { ...honest, stepRoots: wrong }),
    ]) {
      const ids = batch.operations.map(operationId)
      expect(checkBatch(rollup.context, rollup.ledger, batch.header, batch.operations, ids)).toMatchObject({
        ok: false,
        fault: undefined,
      })
    }
    expect(findFirstDifference(wrong, honest.stepRoots)).toBe(0)
    expect(findFirstDifference(honest.stepRoots, honest.stepRoots.slice(0, 32))).toBeUndefined()
  })

  test('finds a deposit left out at the end', () => {
    const { rollup } = fundedRollup()
    const blind = rollup.context
    const origin = rollup.origin
    rollup.mine(...rollup.swept(depositTransaction(quickKey(0), 1_000n)))
    const content = execute({ ...blind, origin, originHeight: origin.height }, rollup.ledger, [])
    const batch = commit(rollup.place, content)
    const checked = checkBatch(rollup.context, rollup.ledger, batch.header, [], [])
    expect(checked).toMatchObject({ ok: false, fault: { at: 'end', refusal: 'deposit-due' } })
  })

  test('evidence for a step needs the steps before it to stand', () => {
    const { rollup } = fundedRollup()
    const operations = [pay(0, 1, 5), pay(1, 2, 0)].map(encodeOperation)
    const batch = commit(rollup.place, { pre: rollup.ledger.root, operations, stepRoots: new Uint8Array(64) })
    expect(() => proveStep(rollup.context, rollup.ledger, batch, 1)).toThrow('is refused itself: nonce-ahead')
  })
})

describe('a ledger', () => {
  test('begins at genesis', () => {
    const ledger = new Ledger()
    expect([ledger.root, ledger.totals, ledger.steps]).toEqual([GENESIS_ROOT, GENESIS_TOTALS, 0])
  })

  test('is loaded from pages, which must be as many as the totals say', () => {
    const { rollup } = fundedRollup(7)
    const { tree, totals, root } = rollup.ledger
    const pages = [tree.page(0, 3).slice(), tree.page(3, 3).slice(), tree.page(6, 3).slice()]
    const loaded = new Ledger()
    loaded.load(pages, totals)
    expect(ledgerBytes(loaded)).toEqual(ledgerBytes(rollup.ledger))
    expect(loaded.root).toEqual(root)
    expect(() => new Ledger().load(pages.slice(0, 2), totals)).toThrow('hold 6 cells where the totals say 7')
  })

  test('takes bytes as they lie in memory, at odd places too', () => {
    const { rollup } = fundedRollup(7)
    const { tree, totals } = rollup.ledger
    const batch = rollup.build(pay(0, 1, 0), payNew(1, 7, 0))
    const after = ledgerBytes(rollup.ledger)
    rollup.ledger.undo(shifted(batch.delta))
    const loaded = new Ledger()
    loaded.load([shifted(tree.page(0, 3)), shifted(tree.page(3, 4))], totals)
    expect(ledgerBytes(loaded)).toEqual(ledgerBytes(rollup.ledger))
    const operations = batch.operations.map(shifted)
    expect(checkBatch(rollup.context, loaded, batch.header, operations, operations.map(operationId)).ok).toBe(true)
    expect(ledgerBytes(loaded)).toEqual(after)
    loaded.undo(shifted(batch.delta))
    loaded.redo(shifted(batch.delta))
    expect(ledgerBytes(loaded)).toEqual(after)
  })

  test('takes back and applies again only what continues from where it stands', () => {
    const { rollup } = fundedRollup()
    const { ledger } = rollup
    const first = rollup.build(pay(0, 1, 0), payNew(0, 5, 1))
    const second = rollup.build(pay(1, 2, 0), payNew(2, 6, 0))
    expect(() => ledger.undo(first.delta)).toThrow('does not continue from this state')
    expect(() => ledger.redo(second.delta)).toThrow('does not continue from this state')
    ledger.undo(second.delta)
    ledger.undo(first.delta)
    ledger.redo(first.delta)
    ledger.redo(second.delta)
    expect(toHex(ledger.root)).toBe(toHex(second.header.post))
    expect(() => ledger.undo(first.delta.slice(1))).toThrow('damaged')
  })
})

/** The same bytes, beginning one byte into their buffer. */
function shifted(bytes: Uint8Array): Uint8Array {
  const buffer = new Uint8Array(bytes.length + 1)
  buffer.set(bytes, 1)
  return buffer.subarray(1)
}

test('a header is built from its place and what was sealed', () => {
  const { rollup } = fundedRollup()
  const sealed = execute(rollup.context, rollup.ledger, [pay(0, 1, 0)])
  const place = rollup.place
  const whole = { ...sealed, post: rollup.ledger.root, opsRoot: bytes32(1), stepsRoot: bytes32(2) }
  const slots = slotsOf(place.number)
  const built = buildHeader(place, whole, slots)
  expect(built.header).toMatchObject({ ...place, ...slots, opCount: 1, post: rollup.ledger.root })
  expect(decodeHeader(built.bytes)).toEqual(built.header)
  expect(built.hash).toEqual(headerHash(built.bytes))
})
