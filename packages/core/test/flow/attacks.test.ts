import { describe, expect, test } from 'vitest'
import { concatBytes } from '../../src/bytes.ts'
import { merkleRoot, rowOf } from '../../src/merkle.ts'
import { operationId } from '../../src/operation.ts'
import { encodeParts } from '../../src/publication.ts'
import { stepLeaves } from '../../src/steps.ts'
import { depositTransaction, partTransaction } from '../bitcoin.ts'
import { mint, pay, payNew, rig } from '../economy.ts'
import { type Batch, execute } from '../rollup.ts'
import { bytes32, quickKey } from '../world.ts'
import { answerOf, Play } from './play.ts'

/** Five cells hold 100,000 sat each; the batches up to number 3 are anchored, at heights up to 105. */
const payments = () => [pay(0, 1, 0), payNew(1, 5, 0), pay(2, 3, 0)]

function expectAgreement(play: Play): void {
  const late = play.stateOfNewcomer()
  for (const node of play.nodes) expect(play.stateOf(node)).toEqual(late)
}

describe('garbage step roots under honest operations', () => {
  const committed = (batch: Batch) => rowOf(batch.operations.map(operationId))
  const lies: [string, (play: Play, honest: Batch) => Batch][] = [
    ['a random steps root, the steps withheld', (play) => play.rollup.lie({ stepsRoot: bytes32(7) })],
    [
      'steps that break off and go on elsewhere',
      (play, { pre, stepRoots }) => {
        const leaves = concatBytes(stepLeaves(pre, stepRoots.slice(0, 32)), stepLeaves(bytes32(9), stepRoots.slice(32)))
        return play.rollup.lie({ stepsRoot: merkleRoot(leaves) })
      },
    ],
    [
      'something behind the last step',
      (play, { pre, stepRoots }) => {
        const leaves = concatBytes(stepLeaves(pre, stepRoots), bytes32(9))
        return play.rollup.lie({ stepsRoot: merkleRoot(leaves) })
      },
    ],
  ]

  test.each(lies)('%s: void on every node, and the chain goes on', (_, tell) => {
    const play = new Play()
    const nodes = [play.join(), play.join()]
    const lie = tell(play, play.rollup.build(...payments()))
    play.serve(lie, { headerBytes: lie.headerBytes, operations: lie.operations })
    expect(play.mine(play.rollup.anchor(lie))).toEqual(['link 4: batch'])
    expect(play.mine()).toEqual(['challenged 4: steps by 111', 'ignored challenge: it is challenged already'])
    expect(play.mineUpTo(112)).toContain('void 4: unanswered')
    expect(play.mine(play.rollup.resume())).toEqual(['link 5: resume'])
    const honest = play.rollup.build(...payments())
    play.serve(honest)
    play.mine(play.rollup.anchor(honest))
    play.mineUpTo(120)
    expect(play.rollup.chain.final.number).toBe(6)
    for (const node of nodes) expect(node.checkedHashes.length).toBe(3)
    expectAgreement(play)
  })

  test('something behind the last operation: nobody can have the data', () => {
    const play = new Play()
    play.join()
    const honest = play.rollup.build(...payments())
    const lie = play.rollup.lie({ opsRoot: merkleRoot(concatBytes(committed(honest), bytes32(9))) })
    play.serve(lie)
    play.mine(play.rollup.anchor(lie))
    expect(play.mine(answerOf(lie, 'data'))).toContain('challenged 4: data by 111')
    expect(play.mine(answerOf(lie, 'data'))).toEqual(['ignored part: it is no part of the batch'])
    expect(play.mineUpTo(112)).toContain('void 4: unanswered')
    expectAgreement(play)
  })
})

test('a parent withheld until its child’s windows have passed does not carry the child’s lie', () => {
  const play = new Play()
  play.join()
  const parent = play.rollup.build(pay(0, 1, 0))
  const { context, ledger } = play.rollup
  const stolen = rig(context, ledger, [pay(2, 3, 0)], 0, mint(context, 3, 10n ** 12n))
  const child = play.rollup.put(stolen, { stepsRoot: bytes32(7) })
  // The parent's data come to nobody but by the answer; the child's operations are there, its steps are not.
  play.serve(child, { headerBytes: child.headerBytes, operations: child.operations })
  play.mine(play.rollup.anchor(parent), play.rollup.anchor(child))
  expect(play.mine()).toContain('challenged 4: data by 111')
  play.mineUpTo(110)
  expect(play.mine(answerOf(parent, 'data'))).toContain('answered 4: data')
  expect(play.mine()).toEqual(['challenged 5: steps by 116'])
  play.mineUpTo(116)
  expect(play.mine()).toContain('void 5: unanswered')
  expect(play.rollup.chain.final.number).toBe(4)
  expectAgreement(play)
})

describe('a void that a reorg undoes', () => {
  test('unanswered, resumed, gone on; then the answer is mined after all', () => {
    const play = new Play()
    play.join()
    const { rollup } = play
    const withheld = rollup.build(...payments())
    play.mine(rollup.anchor(withheld))
    play.mine()
    play.mineUpTo(111)
    expect(
      play.mine(rollup.link({ kind: 'resume', headerHash: rollup.batches[1]?.hash as Uint8Array, word: bytes32(0) })),
    ).toContain('void 4: unanswered')
    const second = rollup.build(...payments())
    play.serve(second)
    play.mine(rollup.anchor(second))
    play.mine()
    const dropped = play.reorganise(109)
    // The same transactions come again, and between them the answer in the last block that counts.
    const again = dropped.map((transactions) => transactions)
    play.mine(...(again[0] ?? []))
    expect(play.mine(answerOf(withheld, 'data'), ...(again[1] ?? []))).toContain('answered 4: data')
    expect(play.mine(...(again[2] ?? []))).toEqual(['link 5: null, the resume names another header than the head'])
    expect(play.mine(...(again[3] ?? []))).toEqual(['link 6: null, the chain waits for a resume'])
    play.serve(withheld)
    expect(play.mine(rollup.resume())).toContain('link 7: resume')
    const third = rollup.build(pay(0, 1, 1))
    play.serve(third)
    play.mine(rollup.anchor(third))
    play.mineUpTo(rollup.bitcoin.height + 6)
    expect(rollup.chain.final.number).toBe(8)
    expectAgreement(play)
    const [node] = play.nodes
    expect(node?.ledger.tree.account(0).nonce).toBe(2n)
  })
})

test('a reorg deeper than k across origins: anchors are sent again, lapse, and each transfer lands once', () => {
  const play = new Play()
  play.join()
  const { rollup } = play
  const list = [pay(0, 1, 0), pay(0, 1, 1), pay(0, 1, 2)]
  const [one, two, three] = list as [(typeof list)[0], (typeof list)[0], (typeof list)[0]]
  play.mine(...play.rollup.swept(depositTransaction(quickKey(4), 5_000n)))
  const sealed = [rollup.build(one), rollup.build(two)] as const
  for (const batch of sealed) play.serve(batch)
  const anchors = sealed.map((batch) => rollup.anchor(batch))
  play.mine(...anchors)
  const fork = rollup.bitcoin.height - 2
  play.reorganise(fork)
  play.mine()
  // The same anchors confirm on the other branch; their origin is in no chain any more.
  expect(play.mine(...anchors)).toEqual([
    'link 4: null, it has lapsed: its origin is not in the best chain, or not of the right age',
    'link 5: null, the chain waits for a resume',
  ])
  play.mine(rollup.resume())
  const once = rollup.build(one, two, three)
  play.serve(once)
  play.mine(rollup.anchor(once))
  play.mineUpTo(rollup.bitcoin.height + 6)
  expect(rollup.chain.final.headerHash).toEqual(once.hash)
  expect(play.nodes[0]?.ledger.tree.account(0).nonce).toBe(3n)
  expectAgreement(play)
})

test('half the nodes have the data; challenge and answer in their last blocks, in parts from anybody, garbage first', () => {
  const play = new Play()
  const { rollup } = play
  const batch = rollup.build(...payments(), pay(3, 4, 0))
  const has = play.join()
  const hasNot = play.join(new Map(play.peers))
  play.serve(batch)
  play.mine(rollup.anchor(batch))
  const a = rollup.bitcoin.height
  play.mineWithout()
  expect(play.mine()).toEqual(['challenged 4: data by 112'])
  expect(rollup.bitcoin.height).toBe(a + 2)
  expect([has.checkedHashes.length, hasNot.checkedHashes.length]).toEqual([3, 2])
  const [first, second] = encodeParts('data', batch, 2) as [Uint8Array, Uint8Array]
  const send = (part: Uint8Array) => partTransaction(batch.hash, 'data', part)
  play.mine(send(bytes32(1)), send(first.with(400, 1)), send(second), send(second))
  play.mineUpTo(111)
  expect(play.mine(send(first))).toContain('answered 4: data')
  expect(hasNot.checkedHashes).toEqual(has.checkedHashes)
  expect(hasNot.state).toEqual(has.state)
  play.mineUpTo(115)
  expect(rollup.chain.final.number).toBe(4)
  expectAgreement(play)
})

test('a skipped deposit, a forged one, minted money, another’s signature: each void in the next block', () => {
  const lies: [string, (play: Play) => Batch][] = [
    [
      'deposit-due',
      (play) =>
        play.rollup.put(
          execute(
            { ...play.rollup.context, facts: { ...blind(play), sweptAfter: () => undefined } },
            play.rollup.ledger,
            [pay(0, 1, 0)],
          ),
        ),
    ],
    [
      'wrong-root',
      (play) =>
        play.rollup.put(
          rig(play.rollup.context, play.rollup.ledger, [pay(0, 1, 0)], 0, mint(play.rollup.context, 1, 5n)),
        ),
    ],
    [
      'bad-signature',
      (play) =>
        play.rollup.put(
          execute({ ...play.rollup.context, isSigned: () => true }, play.rollup.ledger, [
            { ...pay(0, 1, 0), amount: 7n },
          ]),
        ),
    ],
  ]
  for (const [fault, tell] of lies) {
    const play = new Play()
    play.join()
    if (fault === 'deposit-due') play.mine(...play.rollup.swept(depositTransaction(quickKey(0), 5_000n)))
    const lie = tell(play)
    play.serve(lie)
    play.mine(play.rollup.anchor(lie))
    expect(play.mine()).toEqual([`void 4: evidence, ${fault}`])
    expectAgreement(play)
  }
})

const blind = ({ rollup: { facts } }: Play) => ({
  blockHash: (height: number) => facts.blockHash(height),
  depositAt: () => undefined,
  forcedAfter: () => undefined,
  finalNumber: () => undefined,
})
