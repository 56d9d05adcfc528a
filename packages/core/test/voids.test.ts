import { describe, expect, test } from 'vitest'
import { type AnchoredBatch, finalHeight, headOf } from '../src/chain.ts'
import { type Evidence, encodeEvidence } from '../src/evidence.ts'
import { encodeWhole } from '../src/publication.ts'
import {
  challengeTransaction,
  changeOutput,
  evidenceTransaction,
  partTransaction,
  pieceInputs,
  signalOutput,
  tagOutput,
  transaction,
} from './bitcoin.ts'
import { proveAgainst } from './challenger.ts'
import { fundedRollup, pay } from './economy.ts'
import { type Batch, Derivation, type Rollup } from './rollup.ts'
import { say } from './trace.ts'
import { bytes32, params } from './world.ts'

/** A batch whose second step is wrong, anchored at 106 as number 4, and the evidence against it. */
function guilty(): { rollup: Rollup; batch: Batch; evidence: Evidence; a: number } {
  const { rollup } = fundedRollup()
  const honest = rollup.build(pay(0, 1, 0), pay(1, 2, 0))
  const stepRoots = new Uint8Array([...honest.stepRoots.slice(0, 32), ...bytes32(0xee)])
  const batch = rollup.lie({}, { stepRoots })
  const evidence = proveAgainst(rollup, batch) as Evidence
  rollup.post(batch)
  return { rollup, batch, evidence, a: rollup.bitcoin.height }
}

const publish = (batch: Batch, evidence: Evidence) => evidenceTransaction(batch.hash, encodeEvidence(evidence))

describe('evidence', () => {
  test('makes a batch and its descendants void; a resume goes on from the head', () => {
    const { rollup, batch, evidence } = guilty()
    rollup.mine(rollup.anchor(rollup.build()), rollup.anchor(rollup.build()))
    const head = rollup.chain.line[1]?.headerHash
    const stuck = rollup.anchor(rollup.build())
    const said = rollup.mine(publish(batch, evidence), stuck).map(say)
    const voids = ['void 4: evidence, wrong-root', 'void 5: ancestor', 'void 6: ancestor']
    expect(said).toEqual([...voids, 'link 7: null, the chain waits for a resume'])
    expect(rollup.chain).toMatchObject({ mode: 'broken', link: { number: 7 } })
    expect(headOf(rollup.chain).headerHash).toEqual(head)
    expect(rollup.mine(rollup.resume()).map(say)).toEqual(['link 8: resume'])
    const next = rollup.build(pay(0, 1, 0))
    expect(next.header).toMatchObject({ number: 9, parent: head })
    expect(rollup.post(next).map(say)).toContain('link 9: batch')
  })

  test('in the block of the anchor, behind it', () => {
    const { rollup } = fundedRollup()
    rollup.build(pay(0, 1, 0))
    const batch = rollup.lie({ post: bytes32(1) })
    const proof = publish(batch, proveAgainst(rollup, batch) as Evidence)
    const none = 'ignored evidence: no live batch that is not final has this header'
    expect(rollup.mine(proof, rollup.anchor(batch), proof, proof).map(say)).toEqual([
      none,
      'link 4: batch',
      'void 4: evidence, post-is-not-last-step',
      none,
    ])
  })

  test('counts in block f and no later', () => {
    for (const [later, outcome] of [
      [6, 'void 4: evidence, wrong-root'],
      [7, 'ignored evidence: no live batch that is not final has this header'],
    ] as const) {
      const { rollup, batch, evidence, a } = guilty()
      expect(finalHeight(params, rollup.chain.line.at(-1) as AnchoredBatch)).toBe(a + 6)
      rollup.mineUpTo(a + later - 1)
      expect(rollup.mine(publish(batch, evidence)).map(say)).toContain(outcome)
    }
  })

  test('counts for as long as an ancestor is not final', () => {
    const { rollup } = fundedRollup()
    const parent = rollup.build(pay(0, 1, 0))
    rollup.mine(rollup.anchor(parent))
    rollup.build(pay(1, 2, 0))
    const batch = rollup.lie({ post: bytes32(1) })
    const evidence = proveAgainst(rollup, batch) as Evidence
    rollup.mine(rollup.anchor(batch), challengeTransaction(parent.hash, 'data'))
    rollup.mineUpTo(110)
    rollup.mine(partTransaction(parent.hash, 'data', encodeWhole('data', parent)))
    const f = rollup.bitcoin.height + 3
    expect(finalHeight(params, rollup.chain.line.at(-1) as AnchoredBatch)).toBe(f - 1)
    rollup.mineUpTo(f - 1)
    expect(rollup.mine(publish(batch, evidence)).map(say)).toEqual([
      'void 5: evidence, post-is-not-last-step',
      'final 4',
    ])
  })

  test('ends a challenge with its batch', () => {
    const { rollup, batch, evidence } = guilty()
    rollup.mine(challengeTransaction(batch.hash, 'data'), challengeTransaction(batch.hash, 'steps'))
    rollup.mine(publish(batch, evidence))
    rollup.mineUpTo(125)
    expect(rollup.derivation.events.map(say).filter((line) => line.startsWith('void'))).toEqual([
      'void 4: evidence, wrong-root',
    ])
  })

  test('must pay the signal script, decode, and be about its own batch', () => {
    const { rollup, batch, evidence } = guilty()
    const bytes = encodeEvidence(evidence)
    const tag = tagOutput({ kind: 'evidence', headerHash: batch.hash })
    const parent = rollup.chain.line[1]?.headerHash as Uint8Array
    const tries = [
      transaction(pieceInputs(bytes), [tag, changeOutput()]),
      transaction([], [tag, signalOutput()]),
      evidenceTransaction(batch.hash, bytes.slice(1)),
      evidenceTransaction(parent, bytes),
      transaction(pieceInputs(bytes), [tag, tag, signalOutput()]),
      transaction(pieceInputs(bytes.slice(0, -1)), [tag, signalOutput()]),
      evidenceTransaction(batch.hash, new Uint8Array(400_000)),
    ]
    expect(rollup.mine(...tries).map(say)).toEqual([
      'ignored evidence: it does not pay the signal script',
      'ignored evidence: the evidence does not decode',
      'ignored evidence: the evidence does not decode',
      'ignored evidence: the header is not the one that was anchored',
      'ignored evidence: the evidence does not decode',
      'ignored evidence: the evidence does not decode',
    ])
    expect(rollup.mine(publish(batch, evidence)).map(say)).toEqual(['void 4: evidence, wrong-root'])
  })
})

describe('finality', () => {
  test('f = a + D, in order, several in a block', () => {
    const { rollup } = fundedRollup()
    rollup.mine(rollup.anchor(rollup.build()), rollup.anchor(rollup.build()))
    const a = rollup.bitcoin.height
    rollup.mineUpTo(a + 5)
    expect(rollup.chain.final.number).toBe(3)
    expect(rollup.mine().map(say)).toEqual(['final 4', 'final 5'])
    expect(rollup.chain.line).toEqual([])
    expect(headOf(rollup.chain).number).toBe(5)
  })

  test('a child waits for its parent', () => {
    const { rollup } = fundedRollup()
    const parent = rollup.build(pay(0, 1, 0))
    rollup.mine(rollup.anchor(parent), rollup.anchor(rollup.build()), challengeTransaction(parent.hash, 'data'))
    const a = rollup.bitcoin.height
    rollup.mineUpTo(a + 3)
    rollup.mine(partTransaction(parent.hash, 'data', encodeWhole('data', parent)))
    rollup.mineUpTo(a + 6)
    expect(rollup.chain.line.map(({ number }) => number)).toEqual([4, 5])
    expect(rollup.mine().map(say)).toEqual(['final 4', 'final 5'])
  })

  test('nothing becomes final while a challenge is open, however long the queue', () => {
    const { rollup } = fundedRollup()
    const batches = Array.from({ length: 6 }, () => rollup.build())
    rollup.mine(...batches.map((batch) => rollup.anchor(batch)))
    const a = rollup.bitcoin.height
    const kinds = ['data', 'steps'] as const
    const all = kinds.flatMap((kind) => batches.map((batch) => challengeTransaction(batch.hash, kind)))
    rollup.mine(...all.toReversed())
    // Twelve challenges queue behind one another: the last deadline, batch 4's data's, is a + 1 + 12 + C.
    const deadline = a + 1 + 12 + 3
    const first = rollup.chain.line.find(({ number }) => number === 4)
    expect(first?.challenges.data?.deadline).toBe(deadline)
    for (const batch of batches.slice(0, 1))
      rollup.mine(partTransaction(batch.hash, 'steps', encodeWhole('steps', batch)))
    rollup.mineUpTo(deadline - 1)
    expect(rollup.chain.line.map(({ number }) => number)).toEqual([4])
    expect(rollup.chain.mode).toBe('broken')
    rollup.mine(partTransaction((batches[0] as Batch).hash, 'data', encodeWhole('data', batches[0] as Batch)))
    rollup.mineUpTo(deadline + 2)
    expect(rollup.chain.line.length).toBe(1)
    expect(rollup.mine().map(say)).toEqual(['final 4'])
  })
})

describe('a reorg', () => {
  test('is derived anew, and the same blocks give the same chain', () => {
    const { rollup, batch, evidence } = guilty()
    const { bitcoin } = rollup
    rollup.mine(publish(batch, evidence))
    rollup.mine(rollup.resume())
    rollup.mineUpTo(120)
    const before = rollup.chain
    const dropped = bitcoin.rewind(106)
    bitcoin.mineUpTo(113)
    const other = new Derivation()
    for (const block of bitcoin.blocks) other.follow(block)
    expect(other.chain).toMatchObject({ mode: 'active', final: { number: 4 } })
    bitcoin.rewind(106)
    const back = new Derivation()
    for (const block of [...bitcoin.blocks, ...dropped]) back.follow(block)
    expect(back.chain).toEqual(before)
    expect(back.events).toEqual(rollup.derivation.events)
  })

  test('that drops the evidence lets the batch live; evidence mined again voids it again', () => {
    const { rollup, batch, evidence, a } = guilty()
    const { bitcoin } = rollup
    const proof = publish(batch, evidence)
    rollup.mine(proof)
    bitcoin.rewind(a)
    bitcoin.mineEmpty(3)
    bitcoin.mine(proof)
    const node = new Derivation()
    const said = bitcoin.blocks.map((block) => node.follow(block).map(say))
    expect(said.at(-1)).toEqual(['void 4: evidence, wrong-root', 'final 2'])
    expect(node.chain.mode).toBe('broken')
  })
})
