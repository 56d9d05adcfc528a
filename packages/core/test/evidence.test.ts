import { describe, expect, test } from 'vitest'
import { concatBytes, equalBytes } from '../src/bytes.ts'
import { encodeAccount } from '../src/cell.ts'
import { U64_MAX } from '../src/codec.ts'
import {
  decodeEvidence,
  type EndEvidence,
  type Evidence,
  encodeEvidence,
  type StepEvidence,
  verifyEvidence,
} from '../src/evidence.ts'
import { hashPair, ZERO_HASH, zeroHash } from '../src/hash.ts'
import { type AnchoredLink, headerHash } from '../src/header.ts'
import { depthOf, MerkleLog, proveLeaves, rowOf } from '../src/merkle.ts'
import { encodeOperation, namedCells, type Operation, operationId } from '../src/operation.ts'
import { proveEnd, proveStep } from '../src/prove.ts'
import { stepLeaves } from '../src/steps.ts'
import { encodeTotals, stateRoot, type Totals } from '../src/totals.ts'
import { CellTree } from '../src/tree.ts'
import { evidenceTransaction } from './bitcoin.ts'
import { headerEvidence, linkOf, proveAgainst } from './challenger.ts'
import { fundedRollup, nothing, pay, payNew, rig } from './economy.ts'
import { type Batch, commit, type Rollup } from './rollup.ts'
import { say } from './trace.ts'
import { accountOf, bytes32, params, quickKey, totalsOf } from './world.ts'

/** An honest batch of five operations on six cells, and what could be claimed against it. */
function honest() {
  const { rollup, last } = fundedRollup()
  const batch = rollup.build(pay(0, 1, 0), payNew(1, 5, 0), payNew(2, 6, 0), pay(3, 4, 0), pay(0, 2, 1))
  rollup.ledger.undo(batch.delta)
  const steps = batch.operations.map((_, index) => proveStep(rollup.context, rollup.ledger, batch, index))
  const end = proveEnd(rollup.context, rollup.ledger, batch)
  rollup.ledger.redo(batch.delta)
  return { rollup, last, batch, steps, end }
}

function judge(rollup: Rollup, batch: Batch, evidence: Evidence): string {
  const verdict = verifyEvidence(rollup.derivation.court, linkOf(rollup, batch), evidence)
  return verdict.ok ? `guilty: ${verdict.fault}` : verdict.reason
}

describe('an honest batch', () => {
  const { rollup, last, batch, steps, end } = honest()
  const [first] = steps as [StepEvidence]
  const said = (evidence: Evidence) => judge(rollup, batch, evidence)

  test('is right in every step, at its end, and in its header', () => {
    for (const step of steps) expect(said(step)).toBe('the step is right')
    expect(said(end)).toBe('nothing that was due was skipped')
    expect(said(headerEvidence(batch, last))).toBe('the header is in order')
  })

  test('is not judged by another header', () => {
    const reason = 'the header is not the one that was anchored'
    for (const evidence of [...steps, end, headerEvidence(batch, last)]) {
      expect(said({ ...evidence, header: last.headerBytes })).toBe(reason)
      expect(said({ ...evidence, header: batch.headerBytes.with(5, 1) })).toBe(reason)
    }
  })

  test('is not judged against another parent', () => {
    const missing = "the parent's header is missing or another"
    for (const parent of [new Uint8Array(0), batch.headerBytes, last.headerBytes.slice(1)]) {
      expect(said({ ...headerEvidence(batch, last), parent })).toBe(missing)
    }
    const link = { ...linkOf(rollup, batch), parent: ZERO_HASH }
    const verdict = verifyEvidence(rollup.derivation.court, link, headerEvidence(batch, last))
    expect(verdict).toEqual({ ok: false, reason: 'genesis has no header' })
  })

  test('is not judged under another table than the one that its parent is signed in', () => {
    const evidence = headerEvidence(batch, last)
    const { court } = rollup.derivation
    const judged = (link: Partial<AnchoredLink>, grandparent: Uint8Array) => {
      const verdict = verifyEvidence(court, { ...linkOf(rollup, batch), ...link }, { ...evidence, grandparent })
      return verdict.ok ? verdict.fault : verdict.reason
    }
    const first = last.before as Batch
    const nonceRoot = first.header.nonceRoot
    for (const header of [new Uint8Array(0), last.headerBytes, first.headerBytes.slice(1)])
      expect(judged({}, header)).toBe("the header before the parent's is missing or another")
    expect(judged({ parentNonceRoot: nonceRoot }, first.headerBytes)).toBe(
      "the header before the parent's is not needed",
    )
    expect(judged({ parentNonceRoot: nonceRoot }, new Uint8Array(0))).toBe('the header is in order')
    expect(judged({ parentNonceRoot: bytes32(1) }, new Uint8Array(0))).toBe('parent-signature')
    expect(judged({ nonceRoot }, first.headerBytes)).toBe("the header before the parent's is not needed")
    expect(judged({ nonceRoot }, new Uint8Array(0))).toBe('parent-signature')
  })

  test('a header that does not decode is for a header claim', () => {
    const malformed = { ...batch, headerBytes: bytes32(1), hash: bytes32(1) }
    const link = linkOf(rollup, malformed)
    const header = bytes32(1)
    const judged = verifyEvidence(
      rollup.derivation.court,
      { ...link, headerHash: headerHash(header) },
      { ...first, header },
    )
    expect(judged).toEqual({ ok: false, reason: 'the header does not decode: this takes a header claim' })
  })

  test('an operation of another place, or of none, is not its own', () => {
    const foreign = 'the operation is not in the batch'
    expect(said({ ...first, index: 5 })).toBe('no operation has this index')
    expect(said({ ...first, index: 0xffffffff })).toBe('no operation has this index')
    expect(said({ ...first, index: 1 })).toBe(foreign)
    expect(said({ ...first, operation: encodeOperation(pay(0, 2, 0)) })).toBe(foreign)
    for (const opHelpers of changedLists(first.opHelpers)) expect(said({ ...first, opHelpers })).toBe(foreign)
  })

  test('a step of another place, swapped or with another path, is not its own', () => {
    const foreign = 'the step is not in the batch'
    const { before, after, helpers } = first.step
    for (const step of [
      steps[1]?.step,
      { before: after, after: before, helpers },
      { before, after: bytes32(1), helpers },
    ]) {
      if (step !== undefined) expect(said({ ...first, step })).toBe(foreign)
    }
    for (const other of changedLists(helpers)) {
      expect(said({ ...first, step: { before, after, helpers: other } })).toBe(foreign)
    }
    const { step } = end
    expect(said({ ...end, step: { ...step, after: bytes32(1) } })).toBe(foreign)
    expect(said({ ...end, step: { ...step, before: step.after, after: step.before } })).toBe(foreign)
    for (const other of changedLists(step.helpers))
      expect(said({ ...end, step: { ...step, helpers: other } })).toBe(foreign)
  })

  test('a state that is not the one before the step does not open', () => {
    const closed = 'the totals do not open the state before the step'
    const { cellsRoot, totals } = first.opening
    const openings = [
      steps[1]?.opening,
      { cellsRoot: totals.slice(0, 32), totals },
      { cellsRoot, totals: totals.with(0, 9) },
    ]
    for (const opening of openings) if (opening !== undefined) expect(said({ ...first, opening })).toBe(closed)
    expect(said({ ...end, opening: first.opening })).toBe('the totals do not open the state after the batch')
  })

  test('cells missing, doubled, exchanged, changed, beside others or with another path are not the state’s', () => {
    const closed = 'the cells do not open the state before the step'
    const { cells, cellHelpers } = first
    const [one, two] = cells as [Uint8Array, Uint8Array]
    const richer = encodeAccount(accountOf(quickKey(0), 10n ** 12n))
    const other = [[], [one], [two], [one, one], [two, one], [one, two, two], [richer, two], [one.with(0, 0), two]]
    for (const list of other) expect(said({ ...first, cells: list })).toBe(closed)
    for (const list of changedLists(cellHelpers)) expect(said({ ...first, cellHelpers: list })).toBe(closed)
    const creating = steps[1] as StepEvidence
    expect(said({ ...creating, cells: [...creating.cells, new Uint8Array(64)] })).toBe(closed)
    expect(said({ ...creating, cells: [] })).toBe(closed)
    for (const list of changedLists(creating.cellHelpers)) expect(said({ ...creating, cellHelpers: list })).toBe(closed)
  })
})

/** A list with one element gone, doubled, changed, moved; and longer ones. */
function changedLists(list: readonly Uint8Array[]): Uint8Array[][] {
  const extra = [ZERO_HASH, zeroHash(1), bytes32(7)]
  const longer = extra.flatMap((hash) => [
    [...list, hash],
    [hash, ...list],
  ])
  const each = list.flatMap((hash, at) => [
    list.toSpliced(at, 1),
    list.toSpliced(at, 0, hash),
    list.with(at, hash.with(31, (hash[31] as number) ^ 1)),
    [...list.slice(at), ...list.slice(0, at)],
  ])
  const same = (other: readonly Uint8Array[]) =>
    other.length === list.length && other.every((hash, at) => equalBytes(hash, list[at] as Uint8Array))
  return [...longer, ...each].filter((other) => !same(other))
}

/**
 * Evidence against the second of two steps, the first of which led to whatever state one likes: a liar may commit to
 * anything, and each node must judge alike what follows.
 */
function afterAnyState(
  accounts: readonly Parameters<CellTree['put']>[1][],
  stated: Totals,
  operation: Operation,
): string {
  const { rollup } = fundedRollup()
  const tree = new CellTree()
  accounts.forEach((account, cell) => {
    tree.put(cell, account)
  })
  tree.rehashAll()
  const pre = rollup.ledger.root
  // Every cell behind these is absent, however many the totals say there are.
  const cellsRoot = heighten(tree.root(), depthOf(accounts.length), depthOf(stated.count))
  const totals = { ...stated, depositCursor: rollup.ledger.totals.depositCursor }
  const before = stateRoot(cellsRoot, totals)
  const bytes = encodeOperation(operation)
  const content = { pre, operations: [bytes, bytes], stepRoots: concatBytes(before, bytes32(0xee)) }
  const batch = commit(rollup.place, content)
  const named = [...new Set(namedCells(operation))]
  const touched = named.filter((cell) => cell <= totals.count).sort((a, b) => a - b)
  const evidence: StepEvidence = {
    claim: 'step',
    header: batch.headerBytes,
    index: 1,
    operation: bytes,
    opHelpers: logOf(rowOf(content.operations.map(operationId))).prove(1),
    step: { before, after: bytes32(0xee), helpers: logOf(stepLeaves(pre, content.stepRoots)).prove(1) },
    opening: { cellsRoot, totals: encodeTotals(totals) },
    cells: touched.filter((cell) => cell < accounts.length).map((cell) => tree.bytes(cell)),
    cellHelpers: proveLeaves(Math.max(totals.count, (touched.at(-1) ?? 0) + 1), touched, (level, index) =>
      index === 0 && level > depthOf(accounts.length)
        ? heighten(tree.root(), depthOf(accounts.length), level)
        : tree.nodeAt(level, index),
    ),
  }
  const verdict = judge(rollup, batch, evidence)
  const said = rollup.mine(rollup.anchor(batch), evidenceTransaction(batch.hash, encodeEvidence(evidence))).map(say)
  expect(said[1]).toBe(verdict.replace('guilty:', 'void 4: evidence,'))
  return verdict
}

function heighten(root: Uint8Array, from: number, to: number): Uint8Array {
  return from >= to ? root : heighten(hashPair(root, zeroHash(from)), from + 1, to)
}

function logOf(leaves: Uint8Array): MerkleLog {
  const log = new MerkleLog()
  log.append(leaves)
  return log
}

describe('from a state with numbers at the top of their fields every overflow is a refusal', () => {
  const [payer, other] = [accountOf(quickKey(0), 10n ** 9n), accountOf(quickKey(1), 5n)]
  const totals = totalsOf([payer, other], 10n ** 6n)
  const full = { ...other, balance: U64_MAX }

  test('fees, balance and nonce of a transfer', () => {
    const overflow = 'guilty: overflow'
    expect(afterAnyState([payer, other], { ...totals, fees: U64_MAX }, pay(0, 1, 0))).toBe(overflow)
    expect(afterAnyState([payer, { ...other, balance: U64_MAX - 999n }], totals, pay(0, 1, 0))).toBe(overflow)
    expect(afterAnyState([payer, { ...other, balance: U64_MAX - 1000n }], totals, pay(0, 1, 0))).toBe(
      'guilty: wrong-root',
    )
    const spent = { ...payer, nonce: U64_MAX }
    expect(afterAnyState([spent, other], totals, pay(0, 1, 0, { nonce: U64_MAX }))).toBe(overflow)
  })

  test('fees and balance of a collection', () => {
    const mine = { ...full, owner: params.keys.fees }
    expect(afterAnyState([payer, mine], totals, { kind: 'collect', cell: 1, amount: 1n })).toBe('guilty: overflow')
    expect(
      afterAnyState([payer, other], { ...totals, fees: U64_MAX }, { kind: 'collect', cell: 2, amount: U64_MAX }),
    ).toBe('guilty: wrong-root')
  })

  test('a count that cell numbers cannot hold', () => {
    const count = 2 ** 48 - 1
    const many = { ...totals, count }
    const verdict = afterAnyState([payer, other], many, { kind: 'collect', cell: count, amount: 20_000n })
    expect(verdict).toBe('guilty: overflow')
  })
})

test('a fault that shows without cells must come without them', () => {
  for (const operation of [Uint8Array.of(9), encodeOperation(invented)]) {
    const { rollup } = fundedRollup()
    const batch = rollup.put(rig(rollup.context, rollup.ledger, [operation], 0, nothing))
    const evidence = proveAgainst(rollup, batch) as StepEvidence
    expect(judge(rollup, batch, evidence)).toMatch(/^guilty: (undecodable|not-due)$/)
    for (const more of [{ cells: [new Uint8Array(64)] }, { cellHelpers: [bytes32(0)] }]) {
      expect(judge(rollup, batch, { ...evidence, ...more })).toBe('cells where none are needed')
    }
  }
})

const invented: Operation = {
  kind: 'deposit',
  position: { height: 104, tx: 1, index: 0 },
  key: quickKey(0),
  amount: 10n ** 6n,
  cell: 0,
}

describe('evidence of another form', () => {
  const { batch, steps, end, last } = honest()

  test('cut short or continued does not decode', () => {
    for (const evidence of [steps[1] as StepEvidence, end, headerEvidence(batch, last)]) {
      const bytes = encodeEvidence(evidence)
      for (let size = 0; size < bytes.length; size++) expect(decodeEvidence(bytes.slice(0, size))).toBeUndefined()
      expect(decodeEvidence(concatBytes(bytes, Uint8Array.of(0)))).toBeUndefined()
    }
  })

  test('with another claim, with three cells, or above eight kilobytes it does not decode', () => {
    const bytes = encodeEvidence(end)
    for (const claim of [0, 1, 2, 4, 255]) expect(decodeEvidence(bytes.with(0, claim))).toBeUndefined()
    const step = steps[0] as StepEvidence
    expect(decodeEvidence(encodeEvidence({ ...step, cells: [1, 2, 3].map(() => new Uint8Array(64)) }))).toBeUndefined()
    const fat: EndEvidence = { ...end, step: { ...end.step, helpers: Array.from({ length: 129 }, () => bytes32(1)) } }
    expect(decodeEvidence(encodeEvidence(fat))).toBeUndefined()
    const large = encodeEvidence({ ...step, operation: new Uint8Array(8000) })
    expect(large.length).toBeGreaterThan(8192)
    expect(decodeEvidence(large)).toBeUndefined()
  })
})
