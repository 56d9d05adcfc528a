import {
  BatchExecution,
  decodeEvidence,
  findInLine,
  headerHash,
  MAX_HEADER_BYTES,
  verifyEvidence,
  ZERO_HASH,
} from '@kedge/core'
import { deltas, marks, steps } from '@kedge/storage'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LeftBlocks } from '../src/left-blocks.ts'
import { type Built, keyOf, Rollup } from './ground.ts'
import type { TestNode } from './test-node.ts'

const ALICE = 20
const BOB = 21

/** A sequencer that commits to something else under this batch's number. */
function commitTo(built: Built, hash: Uint8Array): void {
  Object.assign(built, { hash })
}

function blob(size: number): Uint8Array {
  return new Uint8Array(size).fill(7)
}

describe('bytes that are no header', () => {
  let rollup: Rollup
  let node: TestNode

  async function begin(): Promise<void> {
    rollup = await Rollup.start()
    node = await rollup.openNode('follower')
    await rollup.resume(ZERO_HASH)
    await rollup.mine()
    await node.advance()
  }

  beforeAll(begin)

  afterAll(() => rollup.stop())

  async function anchorBlob(size: number): Promise<Uint8Array> {
    const built = rollup.build(node, [])
    const hash = headerHash(blob(size))
    commitTo(built, hash)
    await rollup.anchor(built)
    rollup.peers.set(`header/${Buffer.from(hash).toString('hex')}`, blob(size))
    await rollup.mine()
    await node.advance()
    return hash
  }

  it('are shown to be none where evidence can hold them', async () => {
    const hash = await anchorBlob(1024)
    const { executor, follower } = node.queried
    expect(executor.rejection).toMatchObject({ fault: 'malformed' })
    const evidence = decodeEvidence(executor.rejection?.evidence ?? new Uint8Array(0))
    const batch = findInLine(follower.chain, hash)
    if (evidence === undefined || batch === undefined) throw new Error('no evidence, or no batch')
    expect(verifyEvidence(follower.court, batch, evidence)).toEqual({ ok: true, fault: 'malformed' })
  })

  it('count as withheld where evidence can not hold them', async () => {
    for (const size of [MAX_HEADER_BYTES + 1, 70_000]) {
      await rollup.stop()
      await begin()
      const hash = await anchorBlob(size)
      const { executor } = node.queried
      expect(executor.rejection).toBeUndefined()
      expect(executor.pending).toMatchObject({ headerHash: hash })
    }
  })
})

describe('a reorganisation in which a void batch lives again', () => {
  let rollup: Rollup
  let node: TestNode
  let first: Built
  let second: Built

  beforeAll(async () => {
    rollup = await Rollup.start()
    node = await rollup.openNode('follower')
    await rollup.begin(node, [ALICE, BOB], 5_000n)
    first = rollup.build(node, [])
    await rollup.mineBatch(node, first)
    // Nobody answers this: the batch is void, and the chain goes on from its parent.
    await rollup.challenge(first.hash, 'data')
    await rollup.mine(6)
    await node.advance()
    expect(node.queried.follower.chain.mode).toBe('broken')
    rollup.ledger.undo(first.sealed.delta)
    await rollup.resume(ZERO_HASH)
    await rollup.mine()
    await node.advance()
    const payment = rollup.signed(ALICE, keyOf(BOB), { from: 0, toCell: 1, amount: 5n })
    second = rollup.build(node, [payment])
    await rollup.mineBatch(node, second)
  })

  afterAll(() => rollup.stop())

  it('has executed the batch that took its place', () => {
    expect(node.queried.executor.head).toMatchObject({ number: second.number, headerHash: second.hash })
  })

  it('keeps the step roots of what it executed, for others to ask for', async () => {
    expect(await node.queried.store.get(steps, second.hash)).toEqual(second.wholes.steps)
  })

  it('executes a batch again where the record of it is not what its header promises', async () => {
    const { executor, store } = node.queried
    // Of another payment with the same fee, so that only the state root tells.
    rollup.ledger.undo(second.sealed.delta)
    const other = new BatchExecution(executor.contextOf(second.header), rollup.ledger)
    other.addDue(() => undefined)
    expect(other.add(rollup.signed(ALICE, keyOf(BOB), { from: 0, toCell: 1, amount: 6n }))).toBeUndefined()
    const { delta } = other.seal()
    rollup.ledger.undo(delta)
    rollup.ledger.redo(second.sealed.delta)
    await rollup.bitcoind.reorg(1, [[]])
    await node.advance()
    expect(executor.head.number).toBe(0)
    await store.commit([deltas.put(second.hash, delta)])
    await rollup.mine()
    await node.advance()
    expect(executor.head).toMatchObject({ number: second.number, headerHash: second.hash })
    expect(executor.ledger.root).toEqual(second.header.post)
    expect(await store.get(deltas, second.hash)).toEqual(second.sealed.delta)
  })

  it('goes back to it, and the batch that took its place has none', async () => {
    const { executor, follower, store } = node.queried
    const { height } = follower.chain
    const before = Array.from({ length: 10 }, (_, at) => follower.facts.blockHash(height - 9 + at) ?? ZERO_HASH)
    // All of the messages stand in the first block then, so no deadline has passed.
    await rollup.bitcoind.reorg(9, 3)
    await node.advance()
    // Another reorganisation could bring them back, and the promises on them have ended.
    for (const left of [follower.left, await LeftBlocks.load(store)])
      expect(before.map((hash) => left.has(hash))).toEqual([false, ...Array(9).fill(true)])
    expect(follower.chain).toMatchObject({ mode: 'broken', line: [{ number: first.number }] })
    expect(executor.head).toMatchObject({ number: first.number, headerHash: first.hash })
    expect(executor.ledger.root).toEqual(first.header.post)
    expect(executor.rejection).toBeUndefined()
    expect(follower.links.get(second.number)).toMatchObject({ outcome: 'null' })
    // The ledger on disk went back before the chain went on.
    const mark = await store.get(marks, 'snapshot')
    expect(mark && Buffer.from(mark).includes(Buffer.from(second.hash))).toBe(false)
  })
})
