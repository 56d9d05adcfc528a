import { describe, expect, test } from 'vitest'
import { type AnchoredBatch, finalHeight, findInLine } from '../src/chain.ts'
import { encodeParts, encodeWhole } from '../src/publication.ts'
import { challengeTransaction, partTransaction } from './bitcoin.ts'
import { begun, contentOf, publishing, signalling } from './modes.ts'
import { type Batch, Derivation, type Rollup } from './rollup.ts'
import { say } from './trace.ts'
import { isQuickSigned } from './world.ts'

const part = (batch: Batch, bytes: Uint8Array) => signalling(publishing, partTransaction(batch.hash, 'data', bytes))
const publish = (batch: Batch) => part(batch, encodeWhole('data', batch))
const challenge = (batch: Batch, data: 'data' | 'steps') =>
  signalling(publishing, challengeTransaction(batch.hash, data))
const child = (rollup: Rollup, batch: Batch, count = 2) => rollup.put(contentOf(batch.header.post, count, 7))

/** Batch 2, anchored at a, its data nowhere. C = 3, D = 6, P = 3, W = 2. */
function anchored(count = 3): { rollup: Rollup; batch: Batch; a: number } {
  const { rollup, batch } = begun(publishing, count)
  rollup.post(batch)
  return { rollup, batch, a: rollup.bitcoin.height }
}

const live = ({ chain }: Rollup, { hash }: Batch) => findInLine(chain, hash) as AnchoredBatch

describe('a batch is born challenged', () => {
  test('by its own anchor, until a + C', () => {
    const { rollup, a } = anchored()
    expect(rollup.derivation.events.map(say).slice(-2)).toEqual(['link 2: batch', `challenged 2: data by ${a + 3}`])
  })

  test('its data on Bitcoin are the answer, in parts and from anybody', () => {
    const { rollup, batch, a } = anchored()
    const [first, second] = encodeParts('data', batch, 2).map((bytes) => part(batch, bytes))
    if (first === undefined || second === undefined) throw new Error('not two parts')
    rollup.mine(second)
    rollup.mineUpTo(a + 2)
    expect(rollup.mine(first).map(say)).toEqual(['part of 2: data 0 + 2', 'answered 2: data'])
    expect(finalHeight(publishing, live(rollup, batch))).toBe(a + 6)
    rollup.mineUpTo(a + 6)
    expect(rollup.chain.final.headerHash).toEqual(batch.hash)
  })

  test('withheld, or less than all of it: void in the block behind the deadline, and a resume goes on', () => {
    const { rollup, batch, a } = anchored()
    const [first = new Uint8Array(0)] = encodeParts('data', batch, 2)
    rollup.mine(rollup.anchor(child(rollup, batch)), part(batch, first))
    rollup.mineUpTo(a + 3)
    expect(rollup.chain.line.length).toBe(2)
    expect(rollup.mine(publish(batch)).map(say)).toEqual([
      'void 2: unanswered',
      'void 3: ancestor',
      'ignored part: no live batch that is not final has this header',
    ])
    rollup.mine(rollup.resume())
    const again = rollup.put(contentOf(batch.pre, 2))
    rollup.mine(rollup.anchor(again), publish(again))
    expect(live(rollup, again).challenges.data?.answeredAt).toBe(rollup.bitcoin.height)
  })

  test('what stands before the anchor is no publication, in the same block too', () => {
    const { rollup, batch, a } = anchored()
    const next = child(rollup, batch)
    expect(rollup.mine(publish(next), rollup.anchor(next)).map(say)).toEqual([
      'ignored part: no live batch that is not final has this header',
      'link 3: batch',
      `challenged 3: data by ${a + 4}`,
    ])
  })

  test('nobody can pay for another challenge, and the queue of answers is not for it', () => {
    const { rollup, batch } = anchored()
    expect(rollup.mine(challenge(batch, 'data')).map(say)).toEqual(['ignored challenge: it is challenged already'])
    expect(rollup.chain.queue).toBe(0)
  })

  test('an empty batch shows its header', () => {
    const { rollup, batch } = anchored(0)
    expect(rollup.mine(publish(batch)).map(say)).toEqual(['part of 2: data 0 + 0', 'answered 2: data'])
  })

  test('steps are asked for as ever, up to W blocks from when the operations are there', () => {
    const { rollup, batch, a } = anchored()
    rollup.mineUpTo(a + 2)
    rollup.mine(publish(batch))
    rollup.mineUpTo(a + 4)
    expect(rollup.mine(challenge(batch, 'steps')).map(say)).toEqual([`challenged 2: steps by ${a + 9}`])
  })

  test('a reorganisation that brings the publication in time takes the void back', () => {
    const { rollup, batch, a } = anchored()
    rollup.mineUpTo(a + 4)
    expect(rollup.chain.mode).toBe('broken')
    rollup.reorganise(a)
    rollup.mine(publish(batch))
    rollup.mineUpTo(a + 6)
    expect(rollup.chain.final.headerHash).toEqual(batch.hash)
    const late = new Derivation(isQuickSigned, publishing)
    for (const block of rollup.bitcoin.blocks) late.follow(block)
    expect(late.chain).toEqual(rollup.chain)
  })
})
