import { describe, expect, test } from 'vitest'
import { type AnchoredBatch, answerBlocks, finalHeight, findInLine } from '../src/chain.ts'
import { batchAnchor, type DataKind } from '../src/message.ts'
import { encodeParts, encodeWhole } from '../src/publication.ts'
import {
  challengeTransaction,
  changeOutput,
  coin,
  depositTransaction,
  partTransaction,
  signalOutput,
  tagOutput,
  transaction,
} from './bitcoin.ts'
import { type Batch, type Rollup, startedRollup } from './rollup.ts'
import { say } from './trace.ts'
import { bytes32, params, quickKey, quickSign } from './world.ts'

/** A batch of five transfers, anchored at 105 as number 3. Its windows: W = 2, C = 3, P = 3, D = 6. */
function anchored(): { rollup: Rollup; batch: Batch; a: number } {
  const rollup = startedRollup()
  rollup.mine(...rollup.swept(depositTransaction(quickKey(0), 100_000n)))
  rollup.post(rollup.build())
  const pay = (nonce: bigint) =>
    quickSign(quickKey(0), { from: 0, to: quickKey(1), toCell: 1, amount: 1n, nonce, mayCreate: true, fee: 10_100n })
  const batch = rollup.build(pay(0n), pay(1n), pay(2n), pay(3n), pay(4n))
  rollup.post(batch)
  return { rollup, batch, a: rollup.bitcoin.height }
}

const challenge = (batch: Batch, data: DataKind) => challengeTransaction(batch.hash, data)
const answer = (batch: Batch, data: DataKind) => partTransaction(batch.hash, data, encodeWhole(data, batch))

describe('raising', () => {
  test.each([
    [2, ['challenged 3: data by 111']],
    [3, ['ignored challenge: the window for challenges is over']],
  ])('data, %i blocks after the anchor', (later, said) => {
    const { rollup, batch, a } = anchored()
    rollup.mineUpTo(a + later - 1)
    expect(rollup.mine(challenge(batch, 'data')).map(say)).toEqual(said)
  })

  test('in the block of the anchor', () => {
    const { rollup } = challengedAtOnce()
    expect(rollup.derivation.events.map(say).slice(-2)).toEqual(['link 3: batch', 'challenged 3: data by 109'])
  })

  test.each([
    [2, ['challenged 3: steps by 111']],
    [3, ['ignored challenge: the window for challenges is over']],
  ])('steps, %i blocks after the anchor, the data never challenged', (later, said) => {
    const { rollup, batch, a } = anchored()
    rollup.mineUpTo(a + later - 1)
    expect(rollup.mine(challenge(batch, 'steps')).map(say)).toEqual(expect.arrayContaining(said))
  })

  test.each([
    [2, ['challenged 3: steps by 115']],
    [3, ['ignored challenge: the window for challenges is over']],
  ])('steps, %i blocks after the data were answered for', (later, said) => {
    const { rollup, batch, a } = anchored()
    rollup.mineUpTo(a + 1)
    rollup.mine(challenge(batch, 'data'))
    rollup.mineUpTo(a + 3)
    expect(rollup.mine(answer(batch, 'data')).map(say)).toEqual(['part of 3: data 0 + 5', 'answered 3: data'])
    const answered = rollup.bitcoin.height
    rollup.mineUpTo(answered + later - 1)
    expect(rollup.mine(challenge(batch, 'steps')).map(say)).toEqual(expect.arrayContaining(said))
  })

  test.each([
    [2, ['challenged 4: steps by 116']],
    [3, ['ignored challenge: the window for challenges is over']],
  ])(
    'steps of a child, %i blocks after the parent’s data were answered for: no sooner could it be judged',
    (later, said) => {
      const { rollup, batch, a } = anchored()
      const child = rollup.build()
      rollup.mine(rollup.anchor(child), challenge(batch, 'data'))
      rollup.mineUpTo(a + 4)
      rollup.mine(answer(batch, 'data'))
      const answered = rollup.bitcoin.height
      rollup.mineUpTo(answered + later - 1)
      expect(rollup.mine(challenge(child, 'steps')).map(say)).toEqual(expect.arrayContaining(said))
    },
  )

  test('a child’s answer opens no window on its parent', () => {
    const { rollup, batch, a } = anchored()
    const child = rollup.build()
    rollup.mine(rollup.anchor(child), challenge(child, 'data'))
    rollup.mineUpTo(a + 4)
    rollup.mine(answer(child, 'data'))
    const late = 'ignored challenge: the window for challenges is over'
    expect(rollup.mine(challenge(batch, 'steps')).map(say)).toContain(late)
  })

  test('each kind once, in one block or two', () => {
    const { rollup, batch } = anchored()
    const [one, two] = [challenge(batch, 'data'), challenge(batch, 'data')]
    expect(rollup.mine(one, two, challenge(batch, 'steps')).map(say)).toEqual([
      'challenged 3: data by 110',
      'ignored challenge: it is challenged already',
      'challenged 3: steps by 111',
    ])
    rollup.mine(answer(batch, 'data'))
    expect(rollup.mine(challenge(batch, 'data')).map(say)).toEqual(['ignored challenge: it is challenged already'])
  })

  test('of a header that is not in the line: unknown, null, final', () => {
    const { rollup, batch, a } = anchored()
    rollup.mineUpTo(a + 6)
    expect(rollup.chain.final.number).toBe(3)
    const none = 'ignored challenge: no live batch that is not final has this header'
    const tries = [challenge(batch, 'data'), challengeTransaction(bytes32(9), 'data')]
    expect(rollup.mine(...tries).map(say)).toEqual([none, none])
  })

  test('the payment is the tag’s own value, and the signal script must be paid', () => {
    const { rollup, batch } = anchored()
    const tag = { kind: 'challenge', headerHash: batch.hash, data: 'data' } as const
    const { challenge: price } = params.fees
    const elsewhere = { value: price, script: Uint8Array.of(0x6a, 2, 1, 1) }
    const tries = [
      challengeTransaction(batch.hash, 'data', price - 1n),
      transaction([coin()], [tagOutput(tag), elsewhere, signalOutput()]),
      transaction([coin()], [tagOutput(tag, price), changeOutput()]),
      transaction([coin()], [tagOutput(tag, price), signalOutput(329n)]),
      transaction([coin()], [tagOutput(tag, price), tagOutput(tag, price), signalOutput()]),
      transaction([coin()], [tagOutput(tag, price), signalOutput()]),
    ]
    expect(rollup.mine(...tries).map(say)).toEqual([
      'ignored challenge: it burns too little',
      'ignored challenge: it burns too little',
      'ignored challenge: it does not pay the signal script',
      'ignored challenge: it does not pay the signal script',
      'challenged 3: data by 110',
    ])
  })
})

/** An empty batch whose challenge stands in the block of its anchor. */
function challengedAtOnce(): { rollup: Rollup; batch: Batch } {
  const rollup = startedRollup()
  rollup.mine(...rollup.swept(depositTransaction(quickKey(0), 100_000n)))
  rollup.post(rollup.build())
  const batch = rollup.build()
  rollup.mine(rollup.anchor(batch), challenge(batch, 'data'))
  return { rollup, batch }
}

describe('deadlines', () => {
  test('answers queue at the rate the network counts on', () => {
    const crowded = { ...params, caps: { ...params.caps, operations: 8192, answerVbytesPerBlock: 100_000 } }
    expect([answerBlocks(params, 'data'), answerBlocks(params, 'steps')]).toEqual([1, 1])
    expect([answerBlocks(crowded, 'data'), answerBlocks(crowded, 'steps')]).toEqual([8, 2])
    const rollup = startedRollup()
    const batches = [rollup.build(), rollup.build(), rollup.build()]
    rollup.mine(...batches.map((batch) => rollup.anchor(batch)))
    const deadline = 104 + params.windows.answer
    const said = rollup.mine(...batches.map((batch) => challenge(batch, 'data'))).map(say)
    expect(said).toEqual([2, 3, 4].map((number, at) => `challenged ${number}: data by ${deadline + 1 + at}`))
    rollup.mine(...batches.map((batch) => answer(batch, 'data')))
    expect(rollup.mine(challenge(batches[0] as Batch, 'steps')).map(say)).toEqual(['challenged 2: steps by 111'])
  })

  test('an answer at the deadline counts', () => {
    const { rollup, batch, a } = anchored()
    rollup.mine(challenge(batch, 'data'))
    rollup.mineUpTo(a + 4)
    expect(rollup.mine(answer(batch, 'data')).map(say)).toContain('answered 3: data')
    expect(rollup.mine()).toEqual([])
  })

  test('in the block after it the batch is void before its first transaction', () => {
    const { rollup, batch, a } = anchored()
    rollup.mine(challenge(batch, 'data'))
    rollup.mineUpTo(a + 5)
    expect(rollup.mine(answer(batch, 'data')).map(say)).toEqual([
      'void 3: unanswered',
      'ignored part: no live batch that is not final has this header',
    ])
    expect(rollup.chain.mode).toBe('broken')
  })

  test('descendants are void with it, and a resume may stand in the same block', () => {
    const { rollup, batch, a } = anchored()
    const [child, grandchild] = [rollup.build(), rollup.build()]
    rollup.mine(challenge(batch, 'data'), rollup.anchor(child), rollup.anchor(grandchild))
    rollup.mineUpTo(a + 5)
    const { number, headerHash } = rollup.chain.final
    expect(number).toBe(2)
    const resume = rollup.link({ kind: 'resume', headerHash, word: bytes32(0) })
    expect(rollup.mine(resume).map(say)).toEqual([
      'void 3: unanswered',
      'void 4: ancestor',
      'void 5: ancestor',
      'link 6: resume',
    ])
    expect(rollup.post(rollup.build()).map(say)).toEqual(['link 7: batch'])
  })

  test('the child’s own deadline does not touch the parent', () => {
    const { rollup, batch, a } = anchored()
    const child = rollup.build()
    rollup.mine(rollup.anchor(child), challenge(child, 'steps'))
    rollup.mineUpTo(a + 5)
    expect(rollup.mine().map(say)).toEqual(['void 4: unanswered', 'final 3'])
    expect(rollup.chain.final.headerHash).toEqual(batch.hash)
  })
})

test('a header hash of zeros is no way back to genesis: nobody can answer for it', () => {
  const rollup = startedRollup()
  const zero = bytes32(0)
  const resumed = rollup.chain.final.headerHash
  expect(resumed).toEqual(zero)
  const child = rollup.build()
  rollup.mine(rollup.link(batchAnchor(child.header, zero)), challengeTransaction(zero, 'data'))
  expect(rollup.post(child).map(say)).toEqual(['link 3: batch'])
  expect(rollup.chain.line[1]?.parent).toEqual(zero)
  expect(
    rollup.mine(answer(child, 'data'), partTransaction(zero, 'data', encodeWhole('data', child))).map(say),
  ).toEqual(['ignored part: no challenge of this kind is open', 'ignored part: it is no part of the batch'])
  rollup.mineUpTo(107)
  expect(rollup.mine().map(say)).toEqual(['void 2: unanswered', 'void 3: ancestor'])
})

describe('answering', () => {
  test.each<DataKind>(['data', 'steps'])(
    '%s in parts: from several senders, out of order, twice, garbage first',
    (data) => {
      const { rollup, batch } = anchored()
      rollup.mine(challenge(batch, data))
      const [first, second, third] = encodeParts(data, batch, 2) as [Uint8Array, Uint8Array, Uint8Array]
      const send = (part: Uint8Array) => partTransaction(batch.hash, data, part)
      const other = data === 'data' ? 'steps' : 'data'
      const garbage = [bytes32(7), first.slice(1), first.with(380, 1), encodeWhole(other, batch), new Uint8Array(0)]
      const ignored = garbage.map(() => 'ignored part: it is no part of the batch')
      expect(rollup.mine(...garbage.map(send)).map(say)).toEqual(ignored)
      expect(rollup.mine(send(third), send(third), send(first)).map(say)).toEqual([
        `part of 3: ${data} 4 + 1`,
        `part of 3: ${data} 4 + 1`,
        `part of 3: ${data} 0 + 2`,
      ])
      expect(rollup.chain.line[1]?.challenges[data]?.covered).toEqual([
        [0, 2],
        [4, 5],
      ])
      expect(rollup.mine(send(second), send(first)).map(say)).toEqual([
        `part of 3: ${data} 2 + 2`,
        `answered 3: ${data}`,
        'ignored part: no challenge of this kind is open',
      ])
    },
  )

  test('in the block of the challenge, behind it and not before it', () => {
    const { rollup, batch } = anchored()
    expect(rollup.mine(answer(batch, 'data'), challenge(batch, 'data'), answer(batch, 'data')).map(say)).toEqual([
      'ignored part: no challenge of this kind is open',
      'challenged 3: data by 110',
      'part of 3: data 0 + 5',
      'answered 3: data',
    ])
  })

  test('overlapping runs join', () => {
    const { rollup, batch } = anchored()
    rollup.mine(challenge(batch, 'data'))
    const part = (start: number, count: number) => encodeParts('data', batch, 1).slice(start, start + count)
    const send = (bytes: Uint8Array) => partTransaction(batch.hash, 'data', bytes)
    rollup.mine(...[...part(3, 1), ...part(1, 1), ...part(2, 1), ...part(0, 1)].map(send))
    expect(rollup.chain.line[1]?.challenges.data?.covered).toEqual([[0, 4]])
    expect(rollup.mine(send(encodeWhole('data', batch))).map(say)).toContain('answered 3: data')
  })

  test('an empty batch is answered for by its header', () => {
    const { rollup, batch } = challengedAtOnce()
    expect(rollup.mine(answer(batch, 'data'), challenge(batch, 'steps'), answer(batch, 'steps')).map(say)).toEqual([
      'part of 3: data 0 + 0',
      'answered 3: data',
      'challenged 3: steps by 110',
      'part of 3: steps 0 + 0',
      'answered 3: steps',
    ])
  })

  test('the part must pay the signal script', () => {
    const { rollup, batch } = anchored()
    rollup.mine(challenge(batch, 'data'))
    const { inputs, outputs } = answer(batch, 'data')
    const silent = transaction(inputs, outputs.slice(0, 1))
    expect(rollup.mine(silent).map(say)).toEqual(['ignored part: it does not pay the signal script'])
  })

  test('each answer leaves P blocks for evidence', () => {
    const { rollup, batch, a } = anchored()
    rollup.mine(challenge(batch, 'data'))
    rollup.mineUpTo(a + 4)
    rollup.mine(answer(batch, 'data'))
    const live = () => findInLine(rollup.chain, batch.hash) as AnchoredBatch
    expect(finalHeight(params, live())).toBe(a + 5 + 3)
    rollup.mine(challenge(batch, 'steps'))
    rollup.mineUpTo(a + 9)
    expect(live().number).toBe(3)
    expect(rollup.mine(answer(batch, 'steps')).map(say)).toContain('answered 3: steps')
    rollup.mineUpTo(a + 12)
    expect(rollup.chain.final.number).toBe(2)
    expect(rollup.mine().map(say)).toEqual(['final 3'])
  })
})
